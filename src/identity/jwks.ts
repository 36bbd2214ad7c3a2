import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  jwksCache,
  type ExportedJWKSCache,
  type JWKSCacheInput,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';

/** Least time between the starts of two fetches: what a fetch may take, and 5 seconds of rest after one that failed. */
const FETCH_INTERVAL_MS = 10_000;

/**
 * How long after they were fetched keys stay in force while no others can be had. An issuer that is down issues no tokens,
 * and most of those out there have expired by then; a key that it has withdrawn must not live on for who can keep us from it.
 */
const STALE_MS = 3_600_000;

/**
 * The keys of an issuer by their URL. They are fetched when first needed, kept for 10 minutes, and fetched anew for a
 * token whose key is not among them, at most every 30 seconds: so keys rotate without a restart, and tokens with invented
 * keys cause no flood. A fetch may take 5 seconds; requests that need it meanwhile wait for the same one. While the
 * issuer fails, a fetch is begun at most every 10 seconds; until it succeeds the keys fetched last serve, for an hour after
 * they were fetched, and who needs another one is rejected.
 *
 * @param clock monotonic, in milliseconds.
 * @param onStale told once when keys begin to serve past their time, with why there are no newer ones.
 */
export function remoteKeys(
  url: URL,
  clock: () => number,
  onStale: (error: unknown) => void = () => undefined,
): JWTVerifyGetKey {
  let startedAt = -Infinity;
  // jose writes what it has fetched, and when, into an object that is empty at first.
  const cache: JWKSCacheInput = {};
  const remote = createRemoteJWKSet(url, {
    cacheMaxAge: 600_000,
    cooldownDuration: 30_000,
    timeoutDuration: 5_000,
    [jwksCache]: cache,
    // The cooldown counts from a success alone, so a fetch that is asked for sooner comes after a failure.
    [customFetch]: async (...request) => {
      if (clock() - startedAt < FETCH_INTERVAL_MS) {
        throw new Error('The last fetch failed, and it is too soon for the next one.');
      }
      startedAt = clock();
      return fetch(...request);
    },
  });

  let stale: { readonly jwks: JSONWebKeySet; readonly get: JWTVerifyGetKey } | undefined;
  /** The keys fetched last, where they still serve. */
  const fetchedLast = (): JSONWebKeySet | undefined => {
    const { jwks, uat = -Infinity } = cache as Partial<ExportedJWKSCache>;
    return Date.now() - uat > STALE_MS ? undefined : jwks;
  };
  return async (header, token) => {
    const last = fetchedLast();
    if (!remote.fresh && last !== undefined && stale?.jwks === last) {
      // Nobody waits for an issuer that has failed before, but who needs a key that is not among those that serve.
      const fetching = remote.reload();
      fetching.catch(() => undefined);
      try {
        return await stale.get(header, token);
      } catch {
        await fetching;
      }
    }
    try {
      return await remote(header, token);
    } catch (error) {
      if (remote.fresh || last === undefined) throw error;
      if (stale?.jwks !== last) {
        stale = { jwks: last, get: createLocalJWKSet(last) };
        onStale(error);
      }
      try {
        return await stale.get(header, token);
      } catch {
        throw error;
      }
    }
  };
}
