import { createLocalJWKSet, createRemoteJWKSet, customFetch, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { readFile, stat } from 'node:fs/promises';

/** Least time between the starts of two fetches: what a fetch may take, and 5 seconds of rest after one that failed. */
const FETCH_INTERVAL_MS = 10_000;

/**
 * The keys of an issuer by their URL. They are fetched when first needed, kept for 10 minutes, and fetched anew for a
 * token whose key is not among them, at most every 30 seconds: so keys rotate without a restart, and tokens with invented
 * keys cause no flood. A fetch may take 5 seconds; requests that need it meanwhile wait for the same one. While the
 * issuer fails, a fetch is begun at most every 10 seconds; until then those who need one are rejected at once.
 *
 * @param clock monotonic, in milliseconds.
 */
export function remoteKeys(url: URL, clock: () => number): JWTVerifyGetKey {
  let startedAt = -Infinity;
  return createRemoteJWKSet(url, {
    cacheMaxAge: 600_000,
    cooldownDuration: 30_000,
    timeoutDuration: 5_000,
    // The cooldown counts from a success alone, so a fetch that is asked for sooner comes after a failure.
    [customFetch]: async (...request) => {
      if (clock() - startedAt < FETCH_INTERVAL_MS) {
        throw new Error('The last fetch failed, and it is too soon for the next one.');
      }
      startedAt = clock();
      return fetch(...request);
    },
  });
}

/**
 * The keys of an issuer from a file (a JSON Web Key Set), read again when it has changed. Whether it has is looked up at
 * most once a second. Rejects where the file cannot be read or is no key set.
 */
export function fileKeys(file: string, clock: () => number): JWTVerifyGetKey {
  let keys: { readonly get: JWTVerifyGetKey; readonly version: string } | undefined;
  let checkedAt = -Infinity;
  return async (header, token) => {
    if (clock() - checkedAt >= 1000 || keys === undefined) {
      const { mtimeMs, size, ino } = await stat(file);
      const version = `${mtimeMs} ${size} ${ino}`;
      if (version !== keys?.version) {
        keys = { get: createLocalJWKSet(JSON.parse(await readFile(file, 'utf8')) as JSONWebKeySet), version };
      }
      checkedAt = clock();
    }
    return keys.get(header, token);
  };
}
