import { describeModes, hasShadow, type ModeSettings } from '../../../clients/modes.js';
import { DIRECT_FILTER } from '../../../direct/topic.js';
import { decidesAll, hasServiceRule, isShipped, otherRules } from './acl.js';
import { fail, type Finding, INSTALL, list, MEND_EXHOOK, unless, warn } from './finding.js';
import type { Provider } from './provider.js';
import { type EmqxState, mountpoints } from './state.js';

/**
 * EMQX's own chain is asked before the hooks (priority 970 against 100). Whom it accepts or refuses is decided; only
 * whom none of its authenticators knows reaches the service.
 */
export function authentication({ authenticators }: EmqxState, provider: Provider): readonly Finding[] {
  const on = authenticators.filter(({ enable }) => enable).map(({ mechanism, backend }) => backend ?? mechanism);
  const { kind, admits } = provider;
  const instead =
    admits === undefined ? '' : admits ? ', and EMQX admits clients unasked' : ', and EMQX refuses clients';
  return unless(
    [
      ...(kind === 'asked' ? [] : [fail(`no policy decides who connects${instead}`, MEND_EXHOOK)]),
      ...(on.length === 0
        ? []
        : [
            warn(
              `EMQX authenticates clients itself (${list(on)}), before it asks Tightbeam: whom it accepts is admitted without iot:Connect, and superusers without any policy`,
              'Remove these authenticators, so that the policies decide who connects; or keep them, knowing this.',
            ),
          ]),
    ],
    'the policies decide who connects',
  );
}

export function listeners({ listeners }: EmqxState): readonly Finding[] {
  const on = listeners.filter(({ enable }) => enable !== false);
  return unless(
    on.flatMap(({ id, enable_authn }) => {
      if (enable_authn === false || enable_authn === 'false') {
        return [fail(`${id} admits every client unasked (enable_authn = false)`, `Set enable_authn of ${id} to true.`)];
      }
      if (enable_authn !== 'quick_deny_anonymous') return [];
      return [
        warn(
          `${id} refuses clients without a username before the policies are asked (enable_authn = quick_deny_anonymous)`,
          'Set enable_authn to true where devices identify themselves by certificate or custom means.',
        ),
      ];
    }),
    `${on.length} ask before they admit`,
  );
}

/** A topic under a mountpoint is not the topic that the client has sent: `$dm/...` is then `MOUNTPOINT/$dm/...`. */
export function mounted(state: EmqxState): readonly Finding[] {
  const places = mountpoints(state);
  if (places.length === 0) return unless([], 'none');
  return [
    state.settings.include_mountpoint === true
      ? fail(
          `authorization.include_mountpoint has EMQX ask about topics with the mountpoint in front, so that no policy on ` +
            `direct messages matches for clients of: ${list(places)}`,
          'Set authorization.include_mountpoint to false, or take the mountpoints away.',
        )
      : warn(
          `clients receive direct messages and cannot send any, where topics are mounted: ${list(places)}`,
          'Take the mountpoint away where devices send direct messages themselves; or keep it, knowing this.',
        ),
  ];
}

export function authorization({ settings, sources }: EmqxState, provider: Provider): readonly Finding[] {
  const others = sources.filter(({ type, enable }) => type !== 'file' && enable);
  return unless(
    [
      ...(provider.kind === 'asked' ? [] : [fail('no policy decides what clients may do', MEND_EXHOOK)]),
      ...(settings.no_match === 'deny'
        ? []
        : [fail('authorization.no_match is "allow": where nobody decides, everything is allowed', INSTALL)]),
      ...(others.length > 0
        ? [
            warn(
              `EMQX asks its own sources before the policies: ${list(others.map(({ type }) => type))}`,
              'Disable them (`tightbeam emqx install --exclusive`) where the policies are to decide.',
            ),
          ]
        : []),
    ],
    'the policies decide; without a decision it is deny',
  );
}

/** Of the service's own configuration as doctor was given it. */
export function shadow({ settings }: EmqxState, modes: ModeSettings | undefined): readonly Finding[] {
  if (modes === undefined || !hasShadow(modes)) return unless([], 'the policies are enforced');
  const refuses = modes.inShadow === 'broker' && settings.no_match === 'deny';
  return [
    refuses
      ? fail(
          `policies are in shadow, and EMQX refuses what its own rules leave open (authorization.no_match = deny): ${describeModes(modes)}`,
          'Set authorization.inShadow of the service to allow, or let rules of your own in EMQX decide.',
        )
      : warn(
          `policies are in shadow, and refuse no ordinary message: ${describeModes(modes)}`,
          'Set authorization.mode to enforce, and send the service a SIGHUP, when WouldDeny tells of nothing that must go on.',
        ),
  ];
}

export function acl({ sources }: EmqxState, username: string): readonly Finding[] {
  const file = sources.find(({ type }) => type === 'file');
  const rules = file?.enable === true ? (file.rules ?? '') : '';
  const others = otherRules(rules, username);
  const all = others.filter(decidesAll);
  return unless(
    [
      ...(hasServiceRule(rules, username)
        ? []
        : [fail(`no first rule lets the service's user (${username}) use ${DIRECT_FILTER}`, INSTALL)]),
      ...(all.length > 0
        ? [
            fail(
              `the ACL decides everything (${list(all)}), so the policies are never asked`,
              isShipped(others) ? INSTALL : 'Remove that rule, or run `tightbeam emqx install --exclusive`.',
            ),
          ]
        : others.length > 0
          ? [
              warn(
                `the ACL has ${others.length} rules that decide before the policies`,
                'Remove them (`tightbeam emqx install --exclusive`) where the policies are to decide.',
              ),
            ]
          : []),
    ],
    `decides only ${DIRECT_FILTER} for the user ${username}`,
  );
}
