import type { AuthorizationSettings, Source } from '../api.js';
import { activeRules, type Memory, memoryOf, restored } from './acl.js';
import { difference, joined, NOTHING, type Plan, step } from './plan.js';
import { removal } from './plan-plugin.js';
import { type EmqxState, NAME, nodesDown } from './state.js';

/**
 * Undoes an installation: what bears Tightbeam's name goes, and what was changed becomes what it was, by the memory in
 * the ACL. What the platform's engineers have changed since is left as they have it.
 *
 * The plugin goes before the hooks, for its guard denies what no provider answers.
 */
export function planUninstall(state: EmqxState): Plan {
  const file = state.sources.find(({ type }) => type === 'file');
  const memory = memoryOf(file?.rules ?? '');
  return joined(
    memory === undefined ? NOTHING : planSettings(state.settings, memory),
    memory === undefined ? NOTHING : planSourcesOn(state.sources, memory),
    memory === undefined || file === undefined ? NOTHING : planFile(file, memory),
    planRemovals(state),
  );
}

function planSettings(settings: AuthorizationSettings, memory: Memory): Plan {
  const after: AuthorizationSettings = { ...settings, no_match: memory.noMatch ?? settings.no_match };
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

function planRemovals(state: EmqxState): Plan {
  const registered = state.exHooks.some(({ name }) => name === NAME);
  return {
    steps: [
      ...state.plugins.map((plugin) => removal(plugin, state.nodes)),
      ...(registered ? [step(`remove the ExHook server ${NAME}`, [], (api) => api.removeExHook(NAME))] : []),
    ],
    left:
      state.plugins.length === 0
        ? []
        : nodesDown(state.nodes).map(
            (node) => `The plugin stays on ${node}, which is down. Run this again when that node has started.`,
          ),
  };
}
