import type { Identity } from '../identity/identity.js';
import { RateLimiter, type RateLimit } from './rate-limiter.js';

/** Each is off where it is not given. */
export interface CallerLimits {
  /** Of each caller: access key, certificate or token subject. */
  readonly perCaller?: RateLimit;
  /** Of all callers together. */
  readonly global?: RateLimit;
}

export interface Throttled {
  readonly retryAfterMs: number;
  readonly details: string;
}

/** How many requests callers may make who have proved who they are. The limits are those of one replica. */
export class CallerThrottle {
  readonly #perCaller: RateLimiter | undefined;
  readonly #global: RateLimiter | undefined;

  constructor({ perCaller, global }: CallerLimits, clock: () => number) {
    this.#perCaller = perCaller && new RateLimiter(perCaller, clock);
    this.#global = global && new RateLimiter(global, clock);
  }

  /** Undefined where the request may go on. A caller over its own limit takes nothing from what is everybody's. */
  check(identity: Identity): Throttled | undefined {
    const own = this.#perCaller?.take(callerOf(identity)) ?? 0;
    if (own > 0) return { retryAfterMs: own, details: 'The rate limit of this caller.' };
    const shared = this.#global?.take('') ?? 0;
    if (shared > 0) return { retryAfterMs: shared, details: 'The rate limit of all callers together.' };
    return undefined;
  }
}

/** What a caller proved to be; the kinds cannot be taken for one another. */
function callerOf({ accessKeyId, jwtSubject, certificate }: Identity): string {
  if (accessKeyId !== undefined) return `key:${accessKeyId}`;
  if (jwtSubject !== undefined) return `jwt:${jwtSubject}`;
  return `certificate:${certificate?.distinguishedName ?? certificate?.commonName ?? ''}`;
}
