import { DIRECT_FILTER } from '../../../direct/topic.js';
import type { Source } from '../api.js';
import { hasServiceRule, isShipped, type Memory, memoryOf, otherRules, serviceUserOf, withBlock } from './acl.js';
import { keeping, keptNoMatch } from './remembered.js';
import { difference, joined, NOTHING, type Plan, step } from './plan.js';
import { type EmqxState, mountpoints } from './state.js';

export interface AuthorizationOptions {
  /** The service's own user on the broker. Absent: whom the ACL names already, and `tightbeam` where it names nobody. */
  readonly username?: string;
  /** Switch off every other source and rule, so that the policies alone decide. */
  readonly exclusive: boolean;
}

/** The service's own, where neither its configuration nor the ACL names another. */
const DEFAULT_USERNAME = 'tightbeam';

/**
 * EMQX asks its own authorization sources before ExHook, and its default ACL allows everything; so it must have no
 * opinion but on the service's own user. What the platform's engineers have written is switched off only where
 * `exclusive` says so.
 */
export function planAuthorization(state: EmqxState, options: AuthorizationOptions): Plan {
  const file = state.sources.find(({ type }) => type === 'file');
  const others = state.sources.filter(({ type, enable }) => type !== 'file' && enable);
  const username = options.username ?? serviceUserOf(file?.rules ?? '') ?? DEFAULT_USERNAME;
  const memory: Memory = { ...changesOf(state, file, others, options), ...memoryOf(file?.rules ?? '') };
  return joined(
    planFile(file, memory, username, options.exclusive),
    options.exclusive ? planOthersOff(others) : NOTHING,
    planSettings(state, memory),
    { ...NOTHING, left: leftOfMountpoints(state) },
    { ...NOTHING, notes: options.exclusive ? [] : notesOnOthers(file, others, username) },
  );
}

/** What this installation is about to change, and so must remember. */
function changesOf(
  { settings }: EmqxState,
  file: Source | undefined,
  others: readonly Source[],
  { exclusive }: AuthorizationOptions,
): Memory {
  return {
    ...(settings.no_match === 'deny' ? {} : { noMatch: settings.no_match }),
    ...(file === undefined ? { fileSource: 'added' as const } : file.enable ? {} : { fileSource: 'disabled' as const }),
    ...(exclusive && others.length > 0 ? { disabledSources: others.map(({ type }) => type) } : {}),
  };
}

function planFile(file: Source | undefined, memory: Memory, username: string, exclusive: boolean): Plan {
  const rules = file?.rules ?? '';
  const others = otherRules(rules, username);
  // A file that was disabled had no say, so none of its rules may get one.
  const switchOff = exclusive || isShipped(others) || file?.enable === false;
  const right = file?.enable === true && hasServiceRule(rules, username) && !(switchOff && others.length > 0);
  if (right && (Object.keys(memory).length === 0 || memoryOf(rules) !== undefined)) return NOTHING;

  const after: Source = { ...file, type: 'file', enable: true, rules: withBlock(rules, username, memory, switchOff) };
  const detail = [
    `+ the user ${username} may use ${DIRECT_FILTER}`,
    ...(switchOff ? others.map((rule) => `- ${rule} (kept as a comment)`) : []),
  ];
  return {
    steps: [
      file === undefined
        ? step('add an ACL (authorization source "file")', detail, (api) => api.addSource(after))
        : step('change the ACL (authorization source "file")', detail, (api) => api.changeSource(after)),
    ],
    left: [],
  };
}

function planOthersOff(others: readonly Source[]): Plan {
  return {
    steps: others.map((source) =>
      step(`disable the authorization source "${source.type}"`, ['enable: true -> false'], (api) =>
        api.changeSource({ ...source, enable: false }),
      ),
    ),
    left: [],
  };
}

function planSettings({ settings }: EmqxState, { noMatch }: Memory): Plan {
  // Without a memory, as where somebody has restored the ACL by hand, `deny` may be the installation's own.
  const after = { ...keeping(settings, noMatch ?? keptNoMatch(settings)), no_match: 'deny' as const };
  const detail = difference(settings, after);
  if (detail.length === 0) return NOTHING;
  return {
    steps: [step('change the authorization settings', detail, (api) => api.setAuthorizationSettings(after))],
    left: [],
  };
}

/** A setting of the platform's engineers, whose own rules may rely on it: theirs to change. */
function leftOfMountpoints(state: EmqxState): string[] {
  const places = mountpoints(state);
  if (state.settings.include_mountpoint !== true || places.length === 0) return [];
  return [
    'authorization.include_mountpoint is on, and topics are mounted: EMQX asks about MOUNTPOINT/$dm/... where the policies ' +
      `know $dm/..., so that devices of these receive no direct message: ${places.join(', ')}. Set it to false, or take the ` +
      'mountpoints away.',
  ];
}

function notesOnOthers(file: Source | undefined, others: readonly Source[], username: string): string[] {
  const rules = file?.enable === true ? otherRules(file.rules ?? '', username) : [];
  const notes: string[] = [];
  if (rules.length > 0 && !isShipped(rules)) {
    notes.push(
      `The ACL has rules of yours, and EMQX asks them before the policies: ${rules.join(' ')} ` +
        'To let the policies decide, remove them or run this with --exclusive.',
    );
  }
  if (others.length > 0) {
    notes.push(
      `Authorization sources of yours decide before the policies: ${others.map(({ type }) => type).join(', ')}. ` +
        'To let the policies decide, disable them or run this with --exclusive.',
    );
  }
  return notes;
}
