import { createHash, randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { AccessKeys } from '../identity/access-keys.js';
import type { CallerAuthenticator, CallerRequest, CallerVerdict, Refusal } from '../identity/caller.js';
import { OneTime } from './one-time.js';
import type { Seal } from './seal.js';

/** How long a session lasts at the most, in milliseconds: a shift. */
export const SESSION_MS = 8 * 3_600_000;
/** Longest cookie value that browsers keep (RFC 6265, section 6.1: 4,096 bytes with name and attributes). */
const MAX_COOKIE = 3_800;
/** Sessions that ended before their time and are remembered for it. */
const MAX_ENDED = 10_000;

/** What a session rests on. Each is looked at again with every request, so that it ends with its credential. */
const BasisSchema = z.discriminatedUnion('way', [
  z.strictObject({ way: z.literal('accessKey'), accessKeyId: z.string(), proof: z.string() }),
  z.strictObject({ way: z.literal('jwt'), token: z.string() }),
  z.strictObject({ way: z.literal('certificate'), fingerprint: z.string() }),
  z.strictObject({ way: z.literal('link'), accessKeyId: z.string(), process: z.string() }),
]);
export type Basis = z.infer<typeof BasisSchema>;

const SessionSchema = z.strictObject({ id: z.string(), endsAt: z.number(), basis: BasisSchema });
export type Session = z.infer<typeof SessionSchema>;

export interface SessionsOptions {
  readonly seal: Seal;
  readonly accessKeys: AccessKeys;
  /** Verifies tokens; absent where tokens are not accepted. */
  readonly jwt?: CallerAuthenticator | undefined;
  /** Wall clock in milliseconds since 1970. */
  readonly now: () => number;
}

/**
 * Sessions of the console. One is a sealed cookie: the service keeps nothing of it, and any replica with the same secret
 * takes it. What is kept is which ones were ended before their time, by who signed out.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #ended = new OneTime(MAX_ENDED);
  /** Links are of one process. */
  readonly process = randomUUID();

  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** A new session as its cookie's value; undefined where that would be longer than browsers keep. */
  begin(basis: Basis): { readonly cookie: string; readonly session: Session } | undefined {
    const { seal, now } = this.#options;
    const session: Session = { id: randomUUID(), endsAt: now() + SESSION_MS, basis };
    const cookie = seal.seal('session', session);
    return cookie.length > MAX_COOKIE ? undefined : { cookie, session };
  }

  /** The session of a cookie's value, as far as it can be told without its credential. */
  read(cookie: string): Session | undefined {
    const { seal, now } = this.#options;
    const { data: session } = SessionSchema.safeParse(seal.open('session', cookie));
    return session === undefined || session.endsAt <= now() || this.#ended.has(session.id) ? undefined : session;
  }

  /** Ends it, whoever still has its cookie. */
  end({ id, endsAt }: Session): void {
    this.#ended.add(id, endsAt, this.#options.now());
  }

  /** Who it is, as long as the credential that it began with is good. */
  async identify({ basis }: Session, request: CallerRequest): Promise<CallerVerdict> {
    const { accessKeys, jwt } = this.#options;
    const { peer } = request;
    switch (basis.way) {
      case 'accessKey': {
        const { accessKeyId, proof } = basis;
        const known = accessKeys.secretsOf(accessKeyId).some((secret) => proofOf(accessKeyId, secret) === proof);
        return known ? { ok: true, identity: { ...peer, accessKeyId } } : gone(`The access key ${accessKeyId}`);
      }
      case 'link': {
        const { accessKeyId, process } = basis;
        const known = process === this.process && accessKeys.secretsOf(accessKeyId).length > 0;
        return known ? { ok: true, identity: { ...peer, accessKeyId } } : gone('What the link stood for');
      }
      case 'certificate': {
        const { certificate } = request;
        if (certificate?.fingerprint !== basis.fingerprint) return gone('The client certificate of the session');
        return { ok: true, identity: { ...peer, certificate } };
      }
      case 'jwt': {
        const headers = new Map([['authorization', [`Bearer ${basis.token}`]]]);
        return (await jwt?.authenticate({ ...request, headers })) ?? gone('Sign-in by tokens');
      }
    }
  }
}

/** What a session keeps of the secret that it was begun with: enough to know it again, and it is sealed. */
export function proofOf(accessKeyId: string, secret: string): string {
  return createHash('sha256').update(`${accessKeyId}\0${secret}`).digest('base64url');
}

function gone(what: string): Refusal {
  return { ok: false, reason: 'INVALID_CREDENTIALS', details: `${what} is no longer accepted: sign in again.` };
}
