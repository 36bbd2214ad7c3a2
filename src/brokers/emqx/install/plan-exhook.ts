import { setTimeout as sleep } from 'node:timers/promises';
import type { EmqxApi, ExHookServer, ExHookSettings } from '../api.js';
import { LIFECYCLE_HOOKS } from '../../../exhook/hooks.js';
import { type ExHookTls, holdsPem, listed, sslSettings, WHOSE_LOG } from './exhook-tls.js';
import { difference, InstallError, NOTHING, type Plan, step } from './plan.js';
import { blockersOf, type EmqxState, failedActionBeside, hasHook, NAME, publishers } from './state.js';

/** What a registration needs that EMQX's defaults do not give. */
const DEFAULTS = {
  /** A storm of connects may queue in the service for some seconds; longer than that it is better refused. */
  request_timeout: '5s',
  pool_size: 8,
} as const;

const TUNABLE = ['request_timeout', 'pool_size', 'socket_options'];

const REPORTED = ['hooks', 'node_status', 'metrics', 'node_metrics'];

/** What makes up a registration, without what EMQX reports about it. */
export function settingsOf(server: ExHookServer): ExHookSettings {
  return Object.fromEntries(Object.entries(server).filter(([key]) => !REPORTED.includes(key))) as ExHookSettings;
}

/** How long clients are accepted without the service after EMQX has started before it: EMQX's default is 60 s. */
const AUTO_RECONNECT = '5s';

/** The service beside EMQX on one machine. */
const LOCAL_URL = 'http://127.0.0.1:9000';

/**
 * Registers the ExHook server, or mends the registration; other servers are left as they are.
 *
 * @param given absent to keep the registered URL: a registration that works must not be turned elsewhere by a default.
 * @param tls what is absent from it stays as it is registered, too.
 * @throws InstallError where URL and TLS do not go together.
 */
export function planExHook(state: EmqxState, given: string | undefined, tls: ExHookTls, reachWithinMs: number): Plan {
  const existing = state.exHooks.find(({ name }) => name === NAME);
  const url = given ?? existing?.url ?? LOCAL_URL;
  const ssl = sslSettings(url, existing?.ssl, tls);
  const wanted = { ...settings(url, failedActionBeside(state.exHooks), existing), ...(ssl && { ssl }) };
  const changes = existing === undefined ? [] : difference(listed(existing), listed(wanted));
  const blockers = blockersOf(NAME, state.exHooks);
  const blocked = blockers.length > 0;
  const notes = notesOnPublishers(state);
  if (existing !== undefined && changes.length === 0 && !blocked) {
    if (isReached(existing)) return { ...NOTHING, notes };
    // The steps that follow need it now as after a change.
    return {
      steps: [step(`wait for EMQX to reach ${url}`, [], (api) => reached(api, url, reachWithinMs))],
      left: [],
      notes,
    };
  }

  const what = existing === undefined ? `register the ExHook server ${NAME}` : `change the ExHook server ${NAME}`;
  const detail = existing === undefined ? difference({}, listed(wanted)) : changes;
  const front = blocked ? [`asked before ${blockers.map(({ name }) => name).join(', ')}`] : [];
  return {
    steps: [
      step(what, [...detail, ...front], async (api) => {
        if (existing === undefined) await add(api, wanted);
        else if (changes.length > 0) await api.changeExHook(wanted);
        if (blocked) await api.moveExHookToFront(NAME);
        await reached(api, url, reachWithinMs);
      }),
    ],
    left: [],
    notes,
  };
}

/**
 * The plugin tells of connections, so that EMQX need not call a hook for each; but the hooks are there before the plugin,
 * whose guard denies what nobody decides. A registration that is written again is loaded again, and the service then
 * asks for what is still needed.
 */
export function planRenewal(state: EmqxState, isPluginNew: boolean, reachWithinMs: number): Plan {
  const existing = state.exHooks.find(({ name }) => name === NAME);
  if (!isPluginNew && !(existing !== undefined && callsNeedlessly(existing))) return NOTHING;
  const what = 'let EMQX load its hooks again, without those that the plugin makes needless';
  const renew = step(what, [], async (api) => {
    const server = (await api.exHooks()).find(({ name }) => name === NAME);
    if (server === undefined || !callsNeedlessly(server)) return;
    await api.changeExHook(settingsOf(server));
    await reached(api, server.url, reachWithinMs);
  });
  return { steps: [renew], left: [] };
}

function callsNeedlessly(server: ExHookServer): boolean {
  return LIFECYCLE_HOOKS.some(({ name }) => hasHook(server, name));
}

/**
 * EMQX (seen at 5.8.9) loads a new server from the request and not from what it has made of it: it takes PEM text for
 * paths, does not find them, and logs them, the private key too. A change is loaded as it is stored. So a server with
 * certificates is added disabled, and enabled by a change.
 */
async function add(api: EmqxApi, wanted: ExHookSettings): Promise<void> {
  if (!holdsPem(wanted)) return api.addExHook(wanted);
  await api.addExHook({ ...wanted, enable: false });
  await api.changeExHook(wanted);
}

function settings(url: string, failedAction: 'deny' | 'ignore', existing: ExHookServer | undefined): ExHookSettings {
  // What an engineer has tuned stays; what EMQX reports about the server is no setting.
  const tuned = Object.entries(existing ?? {}).filter(([key]) => TUNABLE.includes(key));
  return {
    ...DEFAULTS,
    ...Object.fromEntries(tuned),
    name: NAME,
    url,
    enable: true,
    failed_action: failedAction,
    auto_reconnect: AUTO_RECONNECT,
  };
}

/**
 * Waits until every node has loaded the hooks. Without this, the steps that follow would lock every client out where
 * the URL is wrong: the guard denies what no provider answers.
 */
async function reached(api: EmqxApi, url: string, withinMs: number): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    const server = (await api.exHooks()).find(({ name }) => name === NAME);
    if (server !== undefined && isReached(server)) return;
    if (performance.now() > deadline) {
      const missing = server?.node_status.filter(({ status }) => status !== 'connected') ?? [];
      const nodes = missing.map(({ node, status }) => `${node} (${status})`).join(', ');
      throw new InstallError(
        `EMQX does not reach the service at ${url}: ${nodes}. Start \`tightbeam serve\` where EMQX's nodes can connect ` +
          'to it (TIGHTBEAM_EXHOOK_HOST is the address it listens on), check --exhook-url, and run this again. ' +
          (url.startsWith('https:') ? `${WHOSE_LOG} ` : '') +
          'Nothing else was changed.',
      );
    }
    await sleep(250);
  }
}

function isReached({ node_status, hooks }: ExHookServer): boolean {
  return node_status.every(({ status }) => status === 'connected') && hooks.length > 0;
}

function notesOnPublishers(state: EmqxState): string[] {
  const others = publishers(state.exHooks).map(({ name }) => name);
  return others.length === 0
    ? []
    : [
        `The ExHook server ${others.join(', ')} has registered message.publish. Tightbeam's failed_action is therefore ` +
          '"ignore" (with "deny" EMQX would stop that chain for every message); the guard of the plugin refuses clients ' +
          'while the service does not answer. Keep the guard on.',
      ];
}
