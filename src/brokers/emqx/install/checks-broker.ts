import { DIRECT_FILTER } from '../../../direct/topic.js';
import { fail, type Finding, list, ok, unless, warn } from './finding.js';
import { type EmqxState, isRunning, nodesDown } from './state.js';

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

/** How long EMQX decides about direct messages by what it remembers: good to know, and right either way. */
export function cache({ settings }: EmqxState): readonly Finding[] {
  const { enable, excludes = [], ttl } = settings.cache;
  if (!enable) return [ok('off: every message costs a hook call for its sender and one for its receiver')];
  return excludes.includes(DIRECT_FILTER)
    ? [ok(`${DIRECT_FILTER} is excluded: a policy change counts at once for senders, every message costs a hook call`)]
    : [ok(`a policy change counts for direct messages after ${ttl} at the most`)];
}
