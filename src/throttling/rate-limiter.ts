/** A token bucket: `perSecond` tokens come back each second, and at most `burst` are kept. Both are above 0. */
export interface RateLimit {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was true, by the clock. */
  at: number;
}

/** How many buckets are kept; the one that was used least recently goes first, and is full when it comes back. */
const MAX_KEYS = 100_000;

/** One token bucket a key. Keeps no timers, and no more than a bounded number of buckets. */
export class RateLimiter {
  readonly #limit: RateLimit;
  readonly #clock: () => number;
  readonly #maxKeys: number;
  /** The least recently used first. */
  readonly #buckets = new Map<string, Bucket>();

  /** `clock` is monotonic, in milliseconds. */
  constructor(limit: RateLimit, clock: () => number, maxKeys = MAX_KEYS) {
    this.#limit = limit;
    this.#clock = clock;
    this.#maxKeys = maxKeys;
  }

  /** Buckets kept at the moment. */
  get size(): number {
    return this.#buckets.size;
  }

  /** Takes a token: 0 where there was one, else for how many milliseconds there will be none. */
  take(key: string): number {
    const { perSecond, burst } = this.#limit;
    const now = this.#clock();
    const known = this.#buckets.get(key);
    const tokens = known === undefined ? burst : Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond);
    const granted = tokens >= 1;
    this.#buckets.delete(key);
    this.#buckets.set(key, { tokens: granted ? tokens - 1 : tokens, at: now });
    const [oldest] = this.#buckets.size > this.#maxKeys ? this.#buckets.keys() : [];
    if (oldest !== undefined) this.#buckets.delete(oldest);
    return granted ? 0 : ((1 - tokens) / perSecond) * 1000;
  }

  /** Takes back what `take` took: it was for nothing that counts. */
  giveBack(key: string): void {
    const known = this.#buckets.get(key);
    if (known !== undefined) known.tokens = Math.min(this.#limit.burst, known.tokens + 1);
  }
}
