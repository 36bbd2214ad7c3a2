import type { AuthorizationSettings } from '../api.js';

/**
 * `authorization.no_match` as it was before the installation, kept a second time where it is changed: in the ACL's block it
 * goes with an ACL that is restored by hand, and Tightbeam's own `deny` would then be taken for what was there. The list
 * names topics about which EMQX remembers no answer (EMQX 5.5 and later); nobody uses this one.
 */
const KEPT = '$tightbeam/no_match/before/allow';

/** `allow` where that was kept. `deny` needs no keeping: it was so already, and stays. Nothing is kept before EMQX 5.5. */
export function keptNoMatch({ cache }: AuthorizationSettings): 'allow' | undefined {
  return cache.excludes?.includes(KEPT) === true ? 'allow' : undefined;
}

/** The settings with it kept; undefined for no trace of it. */
export function keeping(
  settings: AuthorizationSettings,
  noMatch: AuthorizationSettings['no_match'] | undefined,
): AuthorizationSettings {
  const { cache } = settings;
  if (cache.excludes === undefined) return settings;
  const others = cache.excludes.filter((topic) => topic !== KEPT);
  return { ...settings, cache: { ...cache, excludes: noMatch === 'allow' ? [...others, KEPT] : others } };
}
