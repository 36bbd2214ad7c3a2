import { LIFECYCLE_HOOKS, REQUIRED_HOOKS } from '../../../exhook/hooks.js';
import { over, secrecy, WHOSE_LOG } from './exhook-tls.js';
import type { ExHookServer } from '../api.js';
import { fail, type Finding, INSTALL, list, unless, warn } from './finding.js';
import { hasLeftHooks, type Provider, RELEASE_HOOKS } from './provider.js';
import { blockersOf, type EmqxState, failedActionBeside, hasHook, NAME, nodesWithout, publishers } from './state.js';

export function exHook(state: EmqxState, provider: Provider): readonly Finding[] {
  const server = state.exHooks.find(({ name }) => name === NAME);
  const leftHooks = hasLeftHooks(state, provider)
    ? [
        fail(
          'EMQX refuses every client although it asks nobody: it has kept hooks of an ExHook server that is gone, as EMQX ' +
            '5.9 and later do where the service had been away',
          `On each node, run \`${RELEASE_HOOKS}\`, or restart the node.`,
        ),
      ]
    : [];
  if (server === undefined) {
    return [fail('EMQX does not ask Tightbeam: no ExHook server is registered', INSTALL), ...leftHooks];
  }
  if (!server.enable) {
    return [fail('the ExHook server is registered but disabled: EMQX asks nobody', INSTALL), ...leftHooks];
  }
  const wanted = failedActionBeside(state.exHooks);
  const reconnect = server.auto_reconnect === false ? Infinity : secondsOf(server.auto_reconnect);
  return unless(
    [
      ...(provider.why ?? []).map((why) =>
        fail(
          why,
          'Start `tightbeam serve`, or correct the address: `tightbeam emqx install --exhook-url grpc://HOST:PORT`.' +
            (server.url.startsWith('https:') ? ` ${WHOSE_LOG}` : ''),
        ),
      ),
      ...secrecy(server),
      ...(server.failed_action === 'ignore' && wanted === 'deny'
        ? [warn('failed_action is "ignore": only the guard refuses clients while the service does not answer', INSTALL)]
        : []),
      ...(reconnect > 10
        ? [
            warn(
              `auto_reconnect is ${String(server.auto_reconnect)}: after a start of EMQX before the service, it looks for it that late`,
              INSTALL,
            ),
          ]
        : []),
    ],
    `connected on every node${over(server)}; ${server.metrics.succeed} calls answered, ${server.metrics.failed} failed so ` +
      `far${provider.aside ?? ''}`,
  );
}

export function hooks(state: EmqxState): readonly Finding[] {
  const server = state.exHooks.find(({ name }) => name === NAME);
  if (server === undefined || server.hooks.length === 0) {
    return [fail('no hook is loaded', 'EMQX loads them when it has reached the service: mend "exhook" first.')];
  }
  const missing = REQUIRED_HOOKS.map(({ name }) => name).filter((hook) => !hasHook(server, hook));
  const wide = server.hooks.filter(({ name, params }) => name.startsWith('message.') && !params?.topics?.length);
  return unless(
    [
      ...(missing.length > 0
        ? [
            fail(
              `not loaded: ${list(missing)}`,
              'The service asked for other hooks when EMQX connected to it: is another program on this address, or an old release?',
            ),
          ]
        : []),
      ...untold(state, server),
      ...wide.map(({ name }) =>
        warn(
          `${name} is called for every message of every client`,
          'Give it a topic filter: each call holds the client up.',
        ),
      ),
    ],
    list(server.hooks.map(({ name, params }) => (params?.topics?.length ? `${name} (${list(params.topics)})` : name))),
  );
}

/**
 * Connections are told of by the plugin, and then EMQX need not wait for a hook call at each; or by the hooks, where there is no
 * plugin that can.
 */
function untold({ plugins, nodes }: EmqxState, server: ExHookServer): readonly Finding[] {
  const [installed] = plugins;
  const telling = LIFECYCLE_HOOKS.map(({ name }) => name);
  const runs = installed !== undefined && nodesWithout(installed, nodes).length === 0;
  const isCalled = telling.some((hook) => hasHook(server, hook));
  if (!runs && !isCalled) {
    return [
      fail(
        `nobody tells of connections: ${list(telling)} are not loaded, and the plugin does not run on every node`,
        `${INSTALL} Or disable the ExHook server ${NAME} and enable it again: the service then asks for the hooks.`,
      ),
    ];
  }
  if (runs && isCalled) {
    return [
      warn(
        `EMQX waits for a call of ${list(telling)} at each connection: the plugin was not running, or is of a release ` +
          'that cannot tell of connections itself, when EMQX loaded the hooks',
        `Upgrade the plugin where it is older, then disable the ExHook server ${NAME} and enable it again.`,
      ),
    ];
  }
  return [];
}

export function otherExHooks(state: EmqxState): readonly Finding[] {
  const blockers = blockersOf(NAME, state.exHooks);
  const own = state.exHooks.find(({ name }) => name === NAME);
  const starved = own?.enable && own.failed_action === 'deny' ? publishers(state.exHooks) : [];
  return unless(
    [
      ...blockers.map(({ name }) =>
        fail(
          `EMQX asks the ExHook server ${name} first, and stops there: it has failed_action "deny" and no hook for authentication or authorization`,
          `Set failed_action of ${name} to "ignore", or run \`tightbeam emqx install\`, which moves Tightbeam in front.`,
        ),
      ),
      ...starved.map(({ name }) =>
        fail(
          `${name} has registered message.publish, and Tightbeam's failed_action "deny" stops that chain for every message`,
          INSTALL,
        ),
      ),
    ],
    state.exHooks.length > 1 ? 'none in the way' : 'none',
  );
}

/** Seconds of a duration as EMQX writes it: `5s`, `1m`, `1h5m0s`, `500ms`. */
function secondsOf(duration: string): number {
  const seconds = { d: 86_400, h: 3600, m: 60, s: 1, ms: 0.001 };
  return [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * seconds[unit as keyof typeof seconds],
    0,
  );
}
