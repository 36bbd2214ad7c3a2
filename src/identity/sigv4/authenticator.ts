import { timingSafeEqual } from 'node:crypto';
import type { AccessKeys } from '../access-keys.js';
import type { CallerAuthenticator, CallerRequest, CallerVerdict, Refusal } from '../caller.js';
import { readClaim, type SignatureClaim } from './claim.js';
import { signatureOf, stringToSign, verbatimStringToSign } from './recompute.js';
import { sha256Hex } from './sha256.js';

/** Signing names of the AWS IoT data plane: that of its SDK clients, and the older one of devices and examples. */
const IOT_SERVICES: readonly string[] = ['iotdata', 'iotdevicegateway'];

/** How far the clock of a signer may be from ours, in milliseconds: 5 minutes, as at AWS. */
const MAX_SKEW_MS = 300_000;

/** Stands in for the secrets of an unknown access key, so that it takes the time of a known one. */
const NO_SECRET = ['-'];

export interface SigV4Options {
  readonly accessKeys: AccessKeys;
  /** The region that callers must sign for. */
  readonly region: string;
  /** The services that callers may sign for: those of the AWS IoT data plane where not given. */
  readonly services?: readonly string[];
  /** Wall clock in milliseconds since 1970. */
  readonly now: () => number;
}

/** AWS Signature Version 4, in the Authorization header or in the query (presigned URL). */
export class SigV4Authenticator implements CallerAuthenticator {
  readonly scheme = 'SigV4';
  readonly #options: SigV4Options;

  constructor(options: SigV4Options) {
    this.#options = options;
  }

  /** The signature is over the body's hash. */
  needsBody(request: Omit<CallerRequest, 'body'>): boolean {
    return readClaim(request) !== undefined;
  }

  authenticate(request: CallerRequest): CallerVerdict | undefined {
    const claim = readClaim(request);
    if (claim === undefined) return undefined;
    return 'fault' in claim ? refuse(claim.fault) : this.#verify(request, claim);
  }

  #verify(request: CallerRequest, claim: SignatureClaim): CallerVerdict {
    // Everything that needs no secret comes first, so that these answers say nothing about which keys exist.
    const refusal = this.#checkScope(claim) ?? this.#checkTime(claim) ?? checkSignedHeaders(request, claim);
    if (refusal !== undefined) return refusal;
    const payloadHash = sha256Hex(request.body);
    if (declaresOtherPayload(request, payloadHash)) {
      return refuse('X-Amz-Content-Sha256 is not the SHA-256 of the body (an unsigned payload is not accepted).');
    }

    const secrets = this.#options.accessKeys.secretsOf(claim.accessKeyId, claim.sessionToken);
    const known = secrets.length === 0 ? NO_SECRET : secrets;
    const matches =
      isSignedWith(known, claim, stringToSign(request, claim, payloadHash)) ||
      isSignedWith(known, claim, verbatimStringToSign(request, claim, payloadHash));
    if (secrets.length === 0) return refuse(`No access key ${claim.accessKeyId}, or none with this session token.`);
    if (!matches) return refuse(`The signature is not that of access key ${claim.accessKeyId} for this request.`);
    return { ok: true, identity: { ...request.peer, accessKeyId: claim.accessKeyId } };
  }

  #checkScope({ region, service }: SignatureClaim): Refusal | undefined {
    if (region !== this.#options.region) return refuse(`Signed for region ${region}, not for ${this.#options.region}.`);
    const { services = IOT_SERVICES } = this.#options;
    if (!services.includes(service)) return refuse(`Signed for service ${service}, not for ${services.join(' or ')}.`);
    return undefined;
  }

  #checkTime({ timeMs, expiresSeconds }: SignatureClaim): Refusal | undefined {
    const ageMs = this.#options.now() - timeMs;
    const maxAgeMs = expiresSeconds === undefined ? MAX_SKEW_MS : expiresSeconds * 1000;
    if (ageMs >= -MAX_SKEW_MS && ageMs <= maxAgeMs) return undefined;
    const when = ageMs < 0 ? 'in the future' : 'ago';
    const details = `Signed ${Math.abs(Math.round(ageMs / 1000))} s ${when}; accepted are ${maxAgeMs / 1000} s.`;
    return { ok: false, reason: 'EXPIRED_SIGNATURE', details };
  }
}

/** Whether one of the secrets gives the claimed signature over a text. Tries all of them, whichever fits. */
function isSignedWith(secrets: readonly string[], claim: SignatureClaim, text: string | undefined): boolean {
  if (text === undefined) return false;
  const given = Buffer.from(claim.signature, 'latin1');
  let matches = false;
  for (const secret of secrets) {
    // Both are 64 hexadecimal digits.
    if (timingSafeEqual(given, Buffer.from(signatureOf(text, claim, secret), 'latin1'))) matches = true;
  }
  return matches;
}

/** `Host` and every `X-Amz-*` header must be signed, or a thief of the signature could change what they say. */
function checkSignedHeaders({ headers }: CallerRequest, { signedHeaders }: SignatureClaim): Refusal | undefined {
  for (const name of signedHeaders) {
    if (!headers.has(name)) return refuse(`The signed header ${name} is not in the request.`);
  }
  if (!signedHeaders.includes('host')) return refuse('The header host is not signed.');
  for (const name of headers.keys()) {
    if (name.startsWith('x-amz-') && !signedHeaders.includes(name)) return refuse(`The header ${name} is not signed.`);
  }
  return undefined;
}

const PAYLOAD_HASH = 'x-amz-content-sha256';

/** In a presigned URL signing libraries move the header into the query, in whatever case they had it. */
function declaresOtherPayload({ headers, query }: CallerRequest, payloadHash: string): boolean {
  if (!areAll(payloadHash, headers.get(PAYLOAD_HASH))) return true;
  for (const [name, values] of query) {
    if (name.toLowerCase() === PAYLOAD_HASH && !areAll(payloadHash, values)) return true;
  }
  return false;
}

function areAll(expected: string, values: readonly string[] = []): boolean {
  return values.every((value) => value === expected);
}

function refuse(details: string): Refusal {
  return { ok: false, reason: 'INVALID_CREDENTIALS', details };
}
