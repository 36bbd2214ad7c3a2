import type { EmqxApi } from '../api.js';
import { acl, authentication, authorization, listeners } from './checks-access.js';
import { cache, exHook, guard, hooks, INSTALL, nodes, otherExHooks, plugin } from './checks-broker.js';
import { fail, type Finding, ok } from './finding.js';
import { type BrokerAccess, type BrokerUser, probe, type ProbeResult } from './probe.js';
import { type EmqxState, readState } from './state.js';

/** What doctor holds EMQX against. */
export interface Expected {
  /** Version of this release: the plugin's should be the same. */
  readonly version: string;
  /** Every address of the broker is probed: in a cluster, each may be another node. */
  readonly broker: BrokerUser & { readonly urls: readonly string[] };
  /** Time for connecting and for the message of the probe, each, in milliseconds; default 5,000. */
  readonly probeTimeoutMs?: number;
}

interface Check {
  readonly name: string;
  readonly run: (state: EmqxState, expected: Expected) => readonly Finding[];
}

/** In the order of a client's way through EMQX. */
const CHECKS: readonly Check[] = [
  { name: 'nodes', run: nodes },
  { name: 'exhook', run: exHook },
  { name: 'hooks', run: hooks },
  { name: 'other exhooks', run: otherExHooks },
  { name: 'listeners', run: listeners },
  { name: 'authentication', run: authentication },
  { name: 'authorization', run: authorization },
  { name: 'acl', run: (state, { broker }) => acl(state, broker.username) },
  { name: 'cache', run: cache },
  { name: 'plugin', run: (state, { version }) => plugin(state, version) },
  { name: 'guard', run: (state, { broker }) => guard(state, broker.username) },
];

export interface Diagnosis extends Finding {
  readonly check: string;
}

/** Runs every check; what cannot be looked at is a failure of the check `api`. Never rejects. */
export async function diagnose(api: EmqxApi, expected: Expected): Promise<readonly Diagnosis[]> {
  const { urls, ...user } = expected.broker;
  const [found, ...probed] = await Promise.all([
    inspect(api, expected),
    ...urls.map(async (url) => {
      const access = { ...user, url };
      return { check: 'probe', ...judge(await probe(access, expected.probeTimeoutMs), access) };
    }),
  ]);
  return [...found, ...probed];
}

async function inspect(api: EmqxApi, expected: Expected): Promise<Diagnosis[]> {
  let state: EmqxState;
  try {
    state = await readState(api);
  } catch (error) {
    const mend = 'Check --api and the API key; EMQX must be up. A key of the dashboard needs the role administrator.';
    return [{ check: 'api', ...fail((error as Error).message, mend) }];
  }
  return CHECKS.flatMap(({ name, run }) => run(state, expected).map((finding) => ({ check: name, ...finding })));
}

/** True where nothing has failed; warnings do not count. */
export function isHealthy(diagnoses: readonly Diagnosis[]): boolean {
  return diagnoses.every(({ status }) => status !== 'fail');
}

function judge(result: ProbeResult, { url, username }: BrokerAccess): Finding {
  switch (result.kind) {
    case 'arrived':
      return ok(
        `a direct message to itself at ${url} arrived and was acknowledged, in ${result.milliseconds.toFixed(1)} ms`,
      );
    case 'notConnected':
      return fail(
        `no connection to ${url} as ${username}: ${result.why}`,
        'Check TIGHTBEAM_BROKER_URLS and the password that `tightbeam serve` has; where EMQX refuses, mend "exhook" first.',
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
