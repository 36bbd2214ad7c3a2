import type { AuthorizationSettings } from '../api.js';

/**
 * `authorization.no_match` as it was before the installation, kept a second time where it is changed: in the ACL's block it
 * goes with an ACL that is restored by hand, and Tightbeam's own `deny` would then be taken for what was there. The list
 * names topics about which EMQX remembers no answer (EMQX 5.5 and later); nobody uses one of these.
 */
const KEPT = { allow: '$tightbeam/no_match/before/allow', deny: '$tightbeam/no_match/before/deny' } as const;
const TOPICS: readonly string[] = Object.values(KEPT);

type NoMatch = AuthorizationSettings['no_match'];

/** What was kept; undefined where nothing was, as before EMQX 5.5. */
export function keptNoMatch({ cache }: AuthorizationSettings): NoMatch | undefined {
  return (['deny', 'allow'] as const).find((value) => cache.excludes?.includes(KEPT[value]));
}

/** The settings with it kept; undefined for no trace of it. */
export function keeping(settings: AuthorizationSettings, noMatch: NoMatch | undefined): AuthorizationSettings {
  const { cache } = settings;
  if (cache.excludes === undefined) return settings;
  const others = cache.excludes.filter((topic) => !TOPICS.includes(topic));
  return { ...settings, cache: { ...cache, excludes: noMatch === undefined ? others : [...others, KEPT[noMatch]] } };
}
