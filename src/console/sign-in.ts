import { createHmac, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { AccessKeys } from '../identity/access-keys.js';
import type { CallerAuthenticator, CallerRequest } from '../identity/caller.js';
import type { Identity } from '../identity/identity.js';
import { secretEquals } from '../identity/secret-equals.js';
import { isLoopback } from '../loopback.js';
import type { Reason } from '../reasons.js';
import { RateLimiter } from '../throttling/rate-limiter.js';
import { OneTime } from './one-time.js';
import type { Seal } from './seal.js';
import { proofOf, type Basis, type Sessions } from './session.js';

/** How long a challenge, and a link, may be answered. */
export const ANSWER_MS = 60_000;
/** Failed attempts from one address, and for one access key from all addresses, for an address can be made up. */
const FROM_ADDRESS = { burst: 10, perSecond: 10 / 60 };
const OF_KEY = { burst: 50, perSecond: 50 / 60 };
const MAX_USED = 10_000;
const MAX_LINKS = 16;

/** What the page sends to sign in. */
const AttemptSchema = z.discriminatedUnion('way', [
  z.strictObject({
    way: z.literal('accessKey'),
    accessKeyId: z.string().regex(/^\w{1,128}$/),
    challenge: z.string().max(512),
    signature: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  z.strictObject({ way: z.literal('jwt'), token: z.string().min(1).max(8192) }),
  z.strictObject({ way: z.literal('certificate') }),
  z.strictObject({ way: z.literal('link'), token: z.string().min(1).max(128) }),
]);
export type Attempt = z.infer<typeof AttemptSchema>;

export function readAttempt(value: unknown): Attempt | undefined {
  return AttemptSchema.safeParse(value).data;
}

export type SignedIn =
  | { readonly ok: true; readonly identity: Identity; readonly basis: Basis }
  | {
      readonly ok: false;
      readonly reason: Extract<
        Reason,
        'INVALID_CREDENTIALS' | 'MISSING_CREDENTIALS' | 'ACCOUNT_THROTTLED' | 'CALLER_KEYS_UNAVAILABLE'
      >;
      /** For the log. */
      readonly details: string;
      readonly retryAfterMs?: number;
    };

export interface SignInOptions {
  readonly seal: Seal;
  readonly sessions: Sessions;
  readonly accessKeys: AccessKeys;
  /** Whether access keys are accepted at all. */
  readonly byAccessKey: boolean;
  readonly jwt?: CallerAuthenticator | undefined;
  readonly certificate?: CallerAuthenticator | undefined;
  /** Access key as which somebody with a local link is signed in; absent: there are no links. */
  readonly linkFor?: string | undefined;
  /** Wall clock in milliseconds since 1970. */
  readonly now: () => number;
}

/** Signing in: the ways in which people prove who they are, none of which sends a secret key. */
export class SignIn {
  readonly #options: SignInOptions;
  readonly #used = new OneTime(MAX_USED);
  readonly #links = new OneTime(MAX_LINKS);
  readonly #fromAddress: RateLimiter;
  readonly #ofKey: RateLimiter;

  constructor(options: SignInOptions) {
    this.#options = options;
    this.#fromAddress = new RateLimiter(FROM_ADDRESS, options.now, 10_000);
    this.#ofKey = new RateLimiter(OF_KEY, options.now, 10_000);
  }

  /** What the page is to offer. */
  get ways(): readonly Basis['way'][] {
    const { byAccessKey, jwt, certificate, linkFor } = this.#options;
    return [
      ...(byAccessKey ? (['accessKey'] as const) : []),
      ...(jwt ? (['jwt'] as const) : []),
      ...(certificate ? (['certificate'] as const) : []),
      ...(linkFor === undefined ? [] : (['link'] as const)),
    ];
  }

  /** Something to sign, good once and for a minute. */
  challenge(): string {
    const { seal, now } = this.#options;
    return seal.seal('challenge', { endsAt: now() + ANSWER_MS });
  }

  /** The token of a new local link; undefined where there are none. */
  link(): string | undefined {
    const { linkFor, now } = this.#options;
    if (linkFor === undefined) return undefined;
    const token = randomBytes(32).toString('base64url');
    this.#links.add(token, now() + ANSWER_MS, now());
    return token;
  }

  /** @param origin that of the page, which the signature is for */
  async attempt(attempt: Attempt, request: CallerRequest, origin: string): Promise<SignedIn> {
    const taken: { limiter: RateLimiter; key: string }[] = [];
    const buckets = [{ limiter: this.#fromAddress, key: request.peer.sourceIp ?? '' }];
    if (attempt.way === 'accessKey') buckets.push({ limiter: this.#ofKey, key: attempt.accessKeyId });
    const giveBack = () => {
      for (const { limiter, key } of taken) limiter.giveBack(key);
    };
    for (const bucket of buckets) {
      const retryAfterMs = bucket.limiter.take(bucket.key);
      if (retryAfterMs > 0) {
        giveBack();
        const details = 'Too many failed attempts to sign in to the console.';
        return { ok: false, reason: 'ACCOUNT_THROTTLED', details, retryAfterMs };
      }
      taken.push(bucket);
    }
    const signedIn = await this.#prove(attempt, request, origin);
    if (signedIn.ok) giveBack();
    return signedIn;
  }

  async #prove(attempt: Attempt, request: CallerRequest, origin: string): Promise<SignedIn> {
    switch (attempt.way) {
      case 'accessKey':
        return this.#byAccessKey(attempt, request, origin);
      case 'link':
        return this.#byLink(attempt.token, request);
      case 'jwt': {
        const headers = new Map([['authorization', [`Bearer ${attempt.token}`]]]);
        const verdict = await this.#options.jwt?.authenticate({ ...request, headers });
        return withBasis(verdict, () => ({ way: 'jwt', token: attempt.token }));
      }
      case 'certificate': {
        const verdict = await this.#options.certificate?.authenticate(request);
        return withBasis(verdict, ({ certificate }) => ({
          way: 'certificate',
          fingerprint: certificate?.fingerprint ?? '',
        }));
      }
    }
  }

  #byAccessKey(attempt: Attempt & { way: 'accessKey' }, { peer }: CallerRequest, origin: string): SignedIn {
    const { seal, accessKeys, byAccessKey, now } = this.#options;
    if (!byAccessKey) return refuse('Access keys are not accepted here.');
    const { accessKeyId, challenge, signature } = attempt;
    const { endsAt = 0 } = (seal.open('challenge', challenge) ?? {}) as { readonly endsAt?: number };
    if (endsAt <= now() || this.#used.has(challenge))
      return refuse('The challenge is not a fresh one of this console.');
    this.#used.add(challenge, endsAt, now());
    const text = signedText(accessKeyId, origin, challenge);
    const secrets = accessKeys.secretsOf(accessKeyId);
    // An unknown key takes the time of a known one.
    const fitting = (secrets.length === 0 ? ['-'] : secrets).filter((secret) =>
      secretEquals(createHmac('sha256', secret).update(text).digest('hex'), signature),
    );
    const [secret] = secrets.length === 0 ? [] : fitting;
    if (secret === undefined) return refuse(`The signature is not that of access key ${accessKeyId}.`);
    return {
      ok: true,
      identity: { ...peer, accessKeyId },
      basis: { way: 'accessKey', accessKeyId, proof: proofOf(accessKeyId, secret) },
    };
  }

  #byLink(token: string, { peer }: CallerRequest): SignedIn {
    const { linkFor, sessions, now } = this.#options;
    // The one comparison of a token with a secret that is no constant-time one: it is random, good once, and for a minute.
    if (linkFor === undefined || !isLoopback(peer.sourceIp ?? '') || !this.#links.take(token, now())) {
      return refuse('The local link is not good, was used, or is older than a minute.');
    }
    return {
      ok: true,
      identity: { ...peer, accessKeyId: linkFor },
      basis: { way: 'link', accessKeyId: linkFor, process: sessions.process },
    };
  }
}

/** What is signed: for whom, where, and once. */
export function signedText(accessKeyId: string, origin: string, challenge: string): string {
  return ['tightbeam-console', accessKeyId, origin, challenge].join('\n');
}

function withBasis(
  verdict: Awaited<ReturnType<CallerAuthenticator['authenticate']>>,
  basisOf: (identity: Identity) => Basis,
): SignedIn {
  if (verdict === undefined)
    return { ok: false, reason: 'MISSING_CREDENTIALS', details: 'None of this kind was shown.' };
  if (verdict.ok) return { ok: true, identity: verdict.identity, basis: basisOf(verdict.identity) };
  const { reason, details } = verdict;
  return { ok: false, reason: reason === 'EXPIRED_SIGNATURE' ? 'INVALID_CREDENTIALS' : reason, details };
}

function refuse(details: string): SignedIn {
  return { ok: false, reason: 'INVALID_CREDENTIALS', details };
}
