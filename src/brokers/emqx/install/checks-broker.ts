import { DIRECT_FILTER } from '../../../direct/topic.js';
import type { Plugin } from '../api.js';
import { over, secrecy, WHOSE_LOG } from './exhook-tls.js';
import { fail, type Finding, list, ok, unless, warn } from './finding.js';
import {
  blockersOf,
  type EmqxState,
  failedActionBeside,
  hasHook,
  isRunning,
  NAME,
  nameVersion,
  NEEDED_HOOKS,
  nodesDown,
  nodesWithout,
  publishers,
} from './state.js';

/** `tightbeam emqx install`, which mends most of what these checks find. */
export const INSTALL = 'Run `tightbeam emqx install`.';

export function nodes(state: EmqxState): readonly Finding[] {
  const running = state.nodes.filter(isRunning);
  const versions = [...new Set(running.flatMap(({ version = [] }) => version))];
  const down = nodesDown(state.nodes);
  const old = versions.filter((version) => Number.parseInt(version, 10) < 5);
  return unless(
    [
      ...(down.length > 0
        ? [fail(`not running: ${list(down)}`, 'Start these nodes, or take them out of the cluster.')]
        : []),
      ...(old.length > 0 ? [fail(`EMQX ${list(old)} is older than 5.0`, 'Upgrade EMQX.')] : []),
      ...(versions.length > 1
        ? [warn(`different versions: ${list(versions)}`, 'Finish the upgrade of the cluster.')]
        : []),
    ],
    `${running.length} running, EMQX ${list(versions)}`,
  );
}

export function exHook(state: EmqxState): readonly Finding[] {
  const server = state.exHooks.find(({ name }) => name === NAME);
  if (server === undefined) return [fail('EMQX does not ask Tightbeam: no ExHook server is registered', INSTALL)];
  if (!server.enable) return [fail('the ExHook server is registered but disabled', INSTALL)];
  const unreached = server.node_status.filter(({ status }) => status !== 'connected');
  const wanted = failedActionBeside(state.exHooks);
  const reconnect = server.auto_reconnect === false ? Infinity : secondsOf(server.auto_reconnect);
  return unless(
    [
      ...unreached.map(({ node, status }) =>
        fail(
          `${node} does not reach the service at ${server.url} (${status})`,
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
    `connected on every node${over(server)}; ${server.metrics.succeed} calls answered, ${server.metrics.failed} failed so far`,
  );
}

export function hooks(state: EmqxState): readonly Finding[] {
  const server = state.exHooks.find(({ name }) => name === NAME);
  if (server === undefined || server.hooks.length === 0) {
    return [fail('no hook is loaded', 'EMQX loads them when it has reached the service: mend "exhook" first.')];
  }
  const missing = NEEDED_HOOKS.filter((hook) => !hasHook(server, hook));
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

export function plugin(state: EmqxState, version: string): readonly Finding[] {
  const [installed] = state.plugins;
  if (installed === undefined) {
    return [
      fail(
        'the plugin is not installed: direct messages cannot be delivered, and no guard is up',
        `Run \`tightbeam emqx install --plugin ${NAME}-${version}.tar.gz\`.`,
      ),
    ];
  }
  const without = nodesWithout(installed, state.nodes);
  return unless(
    [
      ...(without.length > 0
        ? [
            fail(
              `${nameVersion(installed)} does not run on ${list(without)}`,
              `${INSTALL} EMQX's log says why it stopped.`,
            ),
          ]
        : []),
      ...(state.plugins.length > 1
        ? [
            fail(
              `several versions: ${list(state.plugins.map((each) => `${nameVersion(each)} on ${list(nodesOf(each))}`))}`,
              'On these nodes, run `emqx ctl plugins` with stop, disable and uninstall of all but one.',
            ),
          ]
        : []),
      ...(installed.rel_vsn === version
        ? []
        : [
            warn(
              `${nameVersion(installed)} with release ${version} of the service`,
              `Run \`tightbeam emqx install --plugin ${NAME}-${version}.tar.gz --upgrade\`.`,
            ),
          ]),
    ],
    `${nameVersion(installed)} runs on every node`,
  );
}

const nodesOf = ({ running_status }: Plugin) => running_status.map(({ node }) => node);

/** Configuration of the plugin as it comes; EMQX before 5.7 keeps none. */
const SHIPPED_CONFIG = {
  guard: 'auto',
  guard_authenticate: true,
  guard_authorize: true,
  exhook_server: NAME,
  service_username: 'tightbeam',
};

export function guard(state: EmqxState, username: string): readonly Finding[] {
  const alarms = state.alarms.filter(({ name }) => name.startsWith(NAME));
  if (alarms.length > 0) {
    return alarms.map(({ name, message }) =>
      fail(
        `alarm ${name}: ${message ?? 'raised'}`,
        'The guard denies clients because the service does not answer: mend "exhook" first.',
      ),
    );
  }
  if (state.plugins.length === 0) return [fail('there is none without the plugin', INSTALL)];
  const config = { ...SHIPPED_CONFIG, ...state.pluginConfig };
  const set = (settings: readonly string[]) =>
    `Set ${list(settings)} in the configuration of the plugin (dashboard, Plugins, ${NAME}).`;
  const open = [
    ...(config.guard === 'off' ? ['guard = "auto"'] : []),
    ...(config.guard_authenticate ? [] : ['guard_authenticate = true']),
    ...(config.guard_authorize ? [] : ['guard_authorize = true']),
  ];
  const astray = [
    ...(config.exhook_server === NAME ? [] : [`exhook_server = "${NAME}"`]),
    ...(config.service_username === username ? [] : [`service_username = "${username}"`]),
  ];
  return unless(
    [
      ...(open.length > 0
        ? [
            fail(
              'switched off: while the service does not answer, EMQX may admit clients that no policy has admitted',
              set(open),
            ),
          ]
        : []),
      ...(astray.length > 0
        ? [fail('the plugin looks for another ExHook server or service user than is installed', set(astray))]
        : []),
    ],
    config.guard === 'deny' ? 'denies whatever no provider has decided' : 'on',
  );
}

/** How long EMQX decides about direct messages by what it remembers: good to know, and right either way. */
export function cache({ settings }: EmqxState): readonly Finding[] {
  const { enable, excludes = [], ttl } = settings.cache;
  if (!enable) return [ok('off: every message costs a hook call for its sender and one for its receiver')];
  return excludes.includes(DIRECT_FILTER)
    ? [ok(`${DIRECT_FILTER} is excluded: a policy change counts at once for senders, every message costs a hook call`)]
    : [ok(`a policy change counts for direct messages after ${ttl} at the most`)];
}

/** Seconds of a duration as EMQX writes it: `5s`, `1m`, `1h5m0s`, `500ms`. */
function secondsOf(duration: string): number {
  const seconds = { d: 86_400, h: 3600, m: 60, s: 1, ms: 0.001 };
  return [...duration.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * seconds[unit as keyof typeof seconds],
    0,
  );
}
