import type { ModeSettings } from '../../../clients/modes.js';
import type { EmqxApi } from '../api.js';
import { acl, authentication, authorization, listeners, mounted, shadow } from './checks-access.js';
import { cache, nodes } from './checks-broker.js';
import { exHook, hooks, otherExHooks } from './checks-exhook.js';
import { guard, type Limits, plugin } from './checks-plugin.js';
import { dial } from './dial.js';
import type { Diagnosis } from '../../finding.js';
import { fail, type Finding, INSTALL, MEND_EXHOOK, ok } from './finding.js';
import { type BrokerAccess, type BrokerUser, probe, type ProbeResult } from '../../link/probe.js';
import { type Provider, providerOf } from './provider.js';
import { type EmqxState, NAME, readState } from './state.js';

/** What doctor holds EMQX against. */
export interface Expected {
  /** Version of this release: the plugin's should be the same. */
  readonly version: string;
  /** Every address of the broker is probed: in a cluster, each may be another node. */
  readonly broker: BrokerUser & { readonly urls: readonly string[] };
  /** The service's, which the plugin's are compared with. */
  readonly limits?: Limits;
  /** Of the service's configuration: whether policies are in shadow, in words, and what decides in their place. */
  readonly modes?: ModeSettings;
  /** Time for connecting and for the message of the probe, each, in milliseconds; default 5,000. */
  readonly probeTimeoutMs?: number;
  /** Calls a registered ExHook address, and says why it does not answer; by default over the network. */
  readonly dial?: (url: string) => Promise<string | undefined>;
}

interface Check {
  readonly name: string;
  readonly run: (state: EmqxState, expected: Expected, provider: Provider) => readonly Finding[];
}

/** In the order of a client's way through EMQX. */
const CHECKS: readonly Check[] = [
  { name: 'nodes', run: nodes },
  { name: 'exhook', run: (state, _, provider) => exHook(state, provider) },
  { name: 'hooks', run: hooks },
  { name: 'other exhooks', run: otherExHooks },
  { name: 'listeners', run: listeners },
  { name: 'mountpoints', run: mounted },
  { name: 'authentication', run: (state, _, provider) => authentication(state, provider) },
  { name: 'authorization', run: (state, _, provider) => authorization(state, provider) },
  { name: 'shadow', run: (state, { modes }) => shadow(state, modes) },
  { name: 'acl', run: (state, { broker }) => acl(state, broker.username) },
  { name: 'cache', run: cache },
  { name: 'plugin', run: (state, { version, limits }) => plugin(state, version, limits) },
  { name: 'guard', run: (state, { broker }, provider) => guard(state, broker.username, provider) },
];

/** Runs every check; what cannot be looked at is a failure of the check `api`. Never rejects. */
export async function diagnose(api: EmqxApi, expected: Expected): Promise<readonly Diagnosis[]> {
  const { urls, ...user } = expected.broker;
  const [state, probes] = await Promise.all([
    readState(api).catch((error: unknown) => error as Error),
    Promise.all(
      urls.map(async (url) => {
        const access = { ...user, url };
        return { access, result: await probe(access, expected.probeTimeoutMs) };
      }),
    ),
  ]);
  const judged = (provider?: Provider) =>
    probes.map(({ access, result }) => ({ check: 'probe', ...judge(result, access, provider) }));
  if (state instanceof Error) {
    const mend = 'Check --api and the API key; EMQX must be up. A key of the dashboard needs the role administrator.';
    return [{ check: 'api', ...fail(state.message, mend) }, ...judged()];
  }
  const provider = providerOf(
    state,
    probes.map(({ result }) => result),
    await dialled(state, expected),
  );
  const found = CHECKS.flatMap(({ name, run }) =>
    run(state, expected, provider).map((finding) => ({ check: name, ...finding })),
  );
  return [...found, ...judged(provider)];
}

/** Calls the registered address, unless it is one that means another machine there than here. */
async function dialled({ exHooks }: EmqxState, { broker, dial: call = dial }: Expected): Promise<string | undefined> {
  const server = exHooks.find(({ name }) => name === NAME);
  if (!server?.enable) return undefined;
  const isElsewhere = isLoopback(server.url) && !broker.urls.some(isLoopback);
  return isElsewhere ? undefined : call(server.url);
}

const isLoopback = (url: string) => /^\w+:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/.test(url);

function judge(result: ProbeResult, { url, username }: BrokerAccess, provider?: Provider): Finding {
  switch (result.kind) {
    case 'arrived':
      return ok(
        `a direct message to itself at ${url} arrived and was acknowledged, in ${result.milliseconds.toFixed(1)} ms`,
      );
    case 'notConnected':
      return fail(
        `no connection to ${url} as ${username}: ${result.why}`,
        result.isRefused && provider !== undefined && provider.kind !== 'asked'
          ? MEND_EXHOOK
          : 'Check TIGHTBEAM_BROKER_URLS, and user and password: they must be those that `tightbeam serve` has.',
      );
    case 'silent':
      return fail(`EMQX at ${url} did not answer the message`, 'Look for errors of the plugin in the log of EMQX.');
    case 'answered':
      return judgeCode(result.reasonCode, url);
  }
}

function judgeCode(code: number, url: string): Finding {
  const answered = `EMQX at ${url} answered 0x${code.toString(16).padStart(2, '0')}`;
  switch (code) {
    case 0x00:
      return fail(
        `${answered}, but no message arrived: something else took it`,
        'Look for rules, bridges or plugins that take messages of $dm/#.',
      );
    case 0x10:
      return fail(`${answered}: nothing took the message, so the plugin does not run on this node`, INSTALL);
    case 0x87:
      return fail(`${answered}: the service's user may not use $dm/#`, 'Mend "acl" and "authorization".');
    default:
      return fail(`${answered}: the message was not confirmed`, 'Look for errors of the plugin in the log of EMQX.');
  }
}
