import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { CallerRequest } from '../caller.js';
import { canonicalRequest, verbatimRequest } from './canonical.js';
import { ALGORITHM, type SignatureClaim } from './claim.js';
import { sha256Hex } from './sha256.js';

/** What the signer of a request fed to the last HMAC, in the form that AWS defines. */
export function stringToSign(request: CallerRequest, claim: SignatureClaim, payloadHash: string): string {
  return over(canonicalRequest(request, claim, payloadHash), claim);
}

/**
 * The same in the form of older curls (7.88 of Debian 12), which sign path and query just as they are:
 * https://github.com/curl/curl/issues/9717. It binds every byte that was sent. Undefined where it does not count: paths
 * with `%25`, because AWS's form of a path with `%2F` has `%252F`, so that a signature over the one might be replayed for
 * the other; and presigned URLs.
 */
export function verbatimStringToSign(
  request: CallerRequest,
  claim: SignatureClaim,
  payloadHash: string,
): string | undefined {
  if (claim.form !== 'header' || request.path.includes('%25')) return undefined;
  return over(verbatimRequest(request, claim, payloadHash), claim);
}

function over(request: string, { timestamp, date, region, service }: SignatureClaim): string {
  return `${ALGORITHM}\n${timestamp}\n${date}/${region}/${service}/aws4_request\n${sha256Hex(request)}`;
}

/** The signature (64 hexadecimal digits) of a string to sign in the scope of the claim, under one secret. */
export function signatureOf(text: string, claim: SignatureClaim, secretAccessKey: string): string {
  return createHmac('sha256', signingKeyOf(claim, secretAccessKey)).update(text).digest('hex');
}

const MAX_SIGNING_KEYS = 1_000;
const signingKeys = new Map<string, KeyObject>();

/** Derived once for each secret, day, region and service. */
function signingKeyOf({ date, region, service }: SignatureClaim, secretAccessKey: string): KeyObject {
  // Scope and time were checked before, and the name of the key, which an unknown caller chooses, has no part in the
  // derivation: so nobody can push the real keys out.
  const name = `${date}/${region}/${service}/${secretAccessKey}`;
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  let derived = Buffer.from(`AWS4${secretAccessKey}`);
  for (const part of [date, region, service, 'aws4_request']) {
    derived = createHmac('sha256', derived).update(part).digest();
  }
  const key = createSecretKey(derived);
  const [oldest] = signingKeys.size >= MAX_SIGNING_KEYS ? signingKeys.keys() : [];
  if (oldest !== undefined) signingKeys.delete(oldest);
  signingKeys.set(name, key);
  return key;
}
