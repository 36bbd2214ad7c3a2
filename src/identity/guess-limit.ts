import { RateLimiter, type RateLimit } from '../throttling/rate-limiter.js';
import type { Authentication, Authenticator, PresentedCredentials } from './authenticator.js';

/** Wrong passwords of one user from one address where none was right yet. */
const FROM_ADDRESS: RateLimit = { burst: 10, perSecond: 10 / 60 };
/** The same where one was right: devices behind one address can share a user, and one of them be wrong. */
const FROM_KNOWN_ADDRESS: RateLimit = { burst: 100, perSecond: 100 / 60 };
/** Wrong passwords of one user from all addresses where none was right yet, for an address can be made up. */
const OF_USER: RateLimit = { burst: 100, perSecond: 100 / 60 };
/** Users with an address that are kept; the ones that were used least recently go first. */
const MAX_KNOWN = 100_000;

export interface GuessLimitOptions {
  readonly authenticator: Authenticator;
  /**
   * The service's own user. It has no limit over all addresses, with which whoever reaches the broker could keep the
   * service itself out; its password is to be one that is not guessed (emqx/make-secrets.sh makes such).
   */
  readonly serviceUsername: string;
  /** Monotonic, in milliseconds. */
  readonly clock: () => number;
}

/**
 * Limits how often passwords can be tried: beyond it, none is looked at. Counts by the broker's node that asks, so that
 * somebody who asks in a broker's place takes nothing from what is its. Memory is bounded.
 */
export class GuessLimit implements Authenticator {
  readonly #options: GuessLimitOptions;
  readonly #fromAddress: RateLimiter;
  readonly #fromKnownAddress: RateLimiter;
  readonly #ofUser: RateLimiter;
  /** Least recently used first. */
  readonly #known = new Set<string>();

  constructor(options: GuessLimitOptions) {
    this.#options = options;
    this.#fromAddress = new RateLimiter(FROM_ADDRESS, options.clock);
    this.#fromKnownAddress = new RateLimiter(FROM_KNOWN_ADDRESS, options.clock);
    this.#ofUser = new RateLimiter(OF_USER, options.clock);
  }

  async authenticate(claim: PresentedCredentials): Promise<Authentication> {
    if (claim.username === undefined) return this.#options.authenticator.authenticate(claim);
    const buckets = this.#bucketsOf(claim, claim.username);
    for (const [at, { limiter, key, what }] of buckets.entries()) {
      const waitMs = limiter.take(key);
      if (waitMs === 0) continue;
      for (const before of buckets.slice(0, at)) before.limiter.giveBack(before.key);
      const details = `Too many wrong passwords of this user from ${what}: the next is looked at in ${Math.ceil(waitMs / 1000)} s.`;
      return { ok: false, reason: 'AUTHENTICATION_THROTTLED', details };
    }
    const authentication = await this.#options.authenticator.authenticate(claim);
    if (authentication.ok) this.#remember(keyOf(claim, claim.username));
    if (authentication.ok || authentication.reason !== 'INVALID_CREDENTIALS') {
      for (const { limiter, key } of buckets) limiter.giveBack(key);
    }
    return authentication;
  }

  #bucketsOf(claim: PresentedCredentials, username: string) {
    const key = keyOf(claim, username);
    if (this.#known.has(key)) return [{ limiter: this.#fromKnownAddress, key, what: 'this address' }];
    const own = { limiter: this.#fromAddress, key, what: 'this address' };
    if (username === this.#options.serviceUsername) return [own];
    return [own, { limiter: this.#ofUser, key: keyOf({ askedBy: claim.askedBy }, username), what: 'anywhere' }];
  }

  #remember(key: string): void {
    this.#known.delete(key);
    this.#known.add(key);
    const [oldest] = this.#known.size > MAX_KNOWN ? this.#known : [];
    if (oldest !== undefined) this.#known.delete(oldest);
  }
}

/** U+0000 stands in no MQTT text (MQTT 5, section 1.5.4), so the parts cannot run into each other. */
function keyOf(
  { askedBy = '', sourceIp = '' }: Pick<PresentedCredentials, 'askedBy' | 'sourceIp'>,
  username: string,
): string {
  return `${askedBy}\0${sourceIp}\0${username}`;
}
