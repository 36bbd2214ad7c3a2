import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthorizationSettings, EmqxApi, ExHookServer, Source } from '../api.js';
import { activeRules, type Memory, memoryOf, restored } from './acl.js';
import { difference, joined, NOTHING, type Plan, step } from './plan.js';
import { settingsOf } from './plan-exhook.js';
import { removal } from './plan-plugin.js';
import type { ProbeResult } from '../../link/probe.js';
import { admission, RELEASE_HOOKS } from './provider.js';
import { keeping, keptNoMatch } from './remembered.js';
import { type EmqxState, NAME, nodesDown } from './state.js';

/** Has a client connect to every node that the service knows, as `probe` does. */
export type Knock = () => Promise<readonly ProbeResult[]>;

/** EMQX answers a removal before its clients feel it; and a node of a cluster may be later than the one that was told. */
const SETTLED_AFTER_MS = 1_000;

/**
 * Undoes an installation: what bears Tightbeam's name goes, and what was changed becomes what it was, by what was kept
 * in the ACL and beside `no_match`. What the platform's engineers have changed since is left as they have it.
 *
 * The plugin goes before the hooks, for its guard denies what no provider answers. The hooks go last, and whether clients
 * get in without them is tried: EMQX 5.9 and later count them too high when the service comes back after it was away, and
 * then keep them without a server, which refuses everybody.
 *
 * @param knock absent where there is no broker address to try.
 */
export function planUninstall(state: EmqxState, knock?: Knock): Plan {
  const file = state.sources.find(({ type }) => type === 'file');
  const memory = memoryOf(file?.rules ?? '');
  return joined(
    planSettings(state.settings, memory),
    memory === undefined ? NOTHING : planSourcesOn(state.sources, memory),
    memory === undefined || file === undefined ? NOTHING : planFile(file, memory),
    planRemovals(state, knock),
  );
}

function planSettings(settings: AuthorizationSettings, memory: Memory | undefined): Plan {
  const after: AuthorizationSettings = {
    ...keeping(settings, undefined),
    no_match: memory?.noMatch ?? keptNoMatch(settings) ?? settings.no_match,
  };
  const detail = difference(settings, after);
  if (detail.length === 0) return NOTHING;
  return {
    steps: [step('restore the authorization settings', detail, (api) => api.setAuthorizationSettings(after))],
    left: [],
  };
}

function planSourcesOn(sources: readonly Source[], { disabledSources = [] }: Memory): Plan {
  const off = sources.filter(({ type, enable }) => !enable && disabledSources.includes(type));
  return {
    steps: off.map((source) =>
      step(`enable the authorization source "${source.type}"`, ['enable: false -> true'], (api) =>
        api.changeSource({ ...source, enable: true }),
      ),
    ),
    left: [],
  };
}

function planFile(file: Source, memory: Memory): Plan {
  const rules = restored(file.rules ?? '');
  if (memory.fileSource === 'added' && activeRules(rules).length === 0) {
    return {
      steps: [step('remove the ACL (authorization source "file")', [], (api) => api.removeSource('file'))],
      left: [],
    };
  }
  const after = { ...file, rules, enable: memory.fileSource !== 'disabled' };
  return {
    steps: [step('restore the ACL (authorization source "file")', [], (api) => api.changeSource(after))],
    left: [],
  };
}

function planRemovals(state: EmqxState, knock: Knock | undefined): Plan {
  const registered = state.exHooks.find(({ name }) => name === NAME);
  return {
    steps: [
      ...state.plugins.map((plugin) => removal(plugin, state.nodes)),
      ...(registered
        ? [{ what: `remove the ExHook server ${NAME}`, apply: (api: EmqxApi) => unhook(api, state, registered, knock) }]
        : []),
    ],
    left:
      state.plugins.length === 0
        ? []
        : nodesDown(state.nodes).map(
            (node) => `The plugin stays on ${node}, which is down. Run this again when that node has started.`,
          ),
  };
}

async function unhook(
  api: EmqxApi,
  state: EmqxState,
  server: ExHookServer,
  knock: Knock | undefined,
): Promise<string | undefined> {
  await api.removeExHook(NAME);
  // Whom an authenticator of EMQX's own does not know is refused for that, and tells nothing of hooks.
  if (knock === undefined || state.authenticators.some(({ enable }) => enable)) return undefined;
  await sleep(SETTLED_AFTER_MS);
  if (admission(await knock()) !== false) return undefined;

  // `ignore`, so that nobody is refused for want of a service: one that answers goes on deciding, as it did.
  await api.addExHook({ ...settingsOf(server), failed_action: 'ignore' });
  const isRefusing = admission(await knock()) === false;
  return (
    `EMQX has kept hooks of the ExHook server ${NAME}, which is removed, and refuses every client. ` +
    (isRefusing
      ? 'NOBODY GETS IN UNTIL THIS IS DONE: '
      : 'So it is registered again, with failed_action = ignore, and the policies go on deciding. To be rid of it: ') +
    `run \`${RELEASE_HOOKS}\` on each node, or restart it while the service is up, and then this again.`
  );
}
