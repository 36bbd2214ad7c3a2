import { errors, jwtVerify, type JWTVerifyGetKey } from 'jose';
import type { CallerAuthenticator, CallerRequest, CallerVerdict, Refusal } from './caller.js';

export interface JwtOptions {
  /** `iss` that tokens must have. */
  readonly issuer: string;
  /** `aud` that tokens must have among theirs. */
  readonly audience: string;
  /** Signature algorithms accepted; those that need a shared secret are none (RFC 8725, section 3.1). */
  readonly algorithms: readonly string[];
  /** Claim that names the caller, as text. */
  readonly subjectClaim?: string;
  /** Finds the key of a token: jwks.ts has those of a URL, key-file.ts those of a file. */
  readonly keys: JWTVerifyGetKey;
  /** How far the clock of the issuer may be from ours, in seconds. */
  readonly clockToleranceSeconds?: number;
  /** Wall clock in milliseconds since 1970. */
  readonly now: () => number;
}

/** Signature algorithms with a public key that are in use and unbroken. */
export const JWT_ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const;

/** JSON Web Tokens in `Authorization: Bearer`: what a custom authorizer is at AWS. */
export class JwtAuthenticator implements CallerAuthenticator {
  readonly scheme = 'JWT';
  readonly #options: JwtOptions;

  /** @throws Error where an algorithm is not one with a public key. */
  constructor(options: JwtOptions) {
    const unfit = options.algorithms.filter(
      (algorithm) => !/^(?:RS|PS|ES)(?:256|384|512)$|^Ed(?:DSA|25519)$/.test(algorithm),
    );
    if (unfit.length > 0 || options.algorithms.length === 0) {
      throw new Error(`JWT algorithms must be ones with a public key, which ${unfit.join(', ') || 'none'} is not.`);
    }
    this.#options = options;
  }

  authenticate(request: CallerRequest): Promise<CallerVerdict> | undefined {
    const bearers = (request.headers.get('authorization') ?? []).filter((value) =>
      /^Bearer(?: |$)/i.test(value.trim()),
    );
    if (bearers.length === 0) return undefined;
    const [token, ...others] = bearers.map((value) => value.trim().slice('Bearer'.length).trim());
    if (token === undefined || others.length > 0) return Promise.resolve(refuse('There are several tokens.'));
    return this.#verify(token, request);
  }

  async #verify(token: string, { peer }: CallerRequest): Promise<CallerVerdict> {
    const { issuer, audience, algorithms, keys, now, clockToleranceSeconds = 30, subjectClaim = 'sub' } = this.#options;
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer,
        audience,
        algorithms: [...algorithms],
        clockTolerance: clockToleranceSeconds,
        currentDate: new Date(now()),
        // A token that never expires cannot be taken back.
        requiredClaims: ['exp', subjectClaim],
      });
      const subject = payload[subjectClaim];
      if (typeof subject !== 'string' || subject === '') return refuse(`The claim ${subjectClaim} is not text.`);
      return { ok: true, identity: { ...peer, jwtSubject: subject } };
    } catch (error) {
      if (isFaultOfToken(error)) return refuse(`${error.code}: ${error.message}`);
      const why = error instanceof Error ? error.message : String(error);
      return {
        ok: false,
        reason: 'CALLER_KEYS_UNAVAILABLE',
        details: `The keys that tokens are verified with: ${why}`,
      };
    }
  }
}

/** A key set that could not be had, or is malformed, is not the caller's fault. */
function isFaultOfToken(error: unknown): error is errors.JOSEError {
  return (
    error instanceof errors.JOSEError &&
    !(error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid) &&
    error.code !== errors.JOSEError.code
  );
}

function refuse(details: string): Refusal {
  return { ok: false, reason: 'INVALID_CREDENTIALS', details };
}
