import { SignatureV4Base } from '@smithy/signature-v4';
import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import type { CallerRequest } from '../caller.js';
import { ALGORITHM, type SignatureClaim } from './claim.js';
import { Sha256, sha256Hex } from './sha256.js';

/**
 * Canonical requests by AWS's own signing library, so that what is canonical is decided in one place for signer and
 * verifier. Its ready-made `sign` would not do: it chooses the headers to sign and the time by itself, and here both are
 * the caller's. What comes after, a hash and five HMACs, is done here: the library's way there is asynchronous, which is
 * a good part of a verification.
 */
class Canonicalization extends SignatureV4Base {
  constructor() {
    const unused = { service: '', region: '', credentials: { accessKeyId: '', secretAccessKey: '' } };
    super({ ...unused, sha256: Sha256, uriEscapePath: true, applyChecksum: false });
  }

  /** As AWS defines it: the path normalized and encoded once more, the query sorted and encoded anew. */
  canonical(request: CallerRequest, claim: SignatureClaim, payloadHash: string): string {
    const { method, path } = request;
    const query = dictionary<string[]>();
    for (const [name, values] of request.query) {
      // The signer had no signature yet.
      if (name !== 'X-Amz-Signature') query[name] = values as string[];
    }
    const headers = dictionary<string>();
    for (const name of claim.signedHeaders) headers[name] = canonicalValue(request.headers.get(name));
    return this.createCanonicalRequest(
      { protocol: '', hostname: '', headers: {}, method, path, query },
      headers,
      payloadHash,
    );
  }
}

const canonicalization = new Canonicalization();

/** Path and query just as they were sent. */
function verbatim(
  { method, path, rawQuery, headers }: CallerRequest,
  claim: SignatureClaim,
  payloadHash: string,
): string {
  const lines = claim.signedHeaders.map((name) => `${name}:${canonicalValue(headers.get(name))}`);
  return [method, path, rawQuery, ...lines, '', claim.signedHeaders.join(';'), payloadHash].join('\n');
}

/**
 * What the signer of this request may have fed to the last HMAC, likeliest first.
 *
 * Beside AWS's own form there is that of older curls (7.88 of Debian 12), which sign path and query just as they are:
 * https://github.com/curl/curl/issues/9717. It binds every byte that was sent. Paths with `%25` are left out: AWS's form
 * of a path with `%2F` has `%252F`, so that a signature over the one might be replayed for the other.
 */
export function* stringsToSign(request: CallerRequest, claim: SignatureClaim, payloadHash: string): Generator<string> {
  yield stringToSign(claim, canonicalization.canonical(request, claim, payloadHash));
  if (claim.form === 'header' && !request.path.includes('%25')) {
    yield stringToSign(claim, verbatim(request, claim, payloadHash));
  }
}

function stringToSign({ timestamp, date, region, service }: SignatureClaim, canonicalRequest: string): string {
  return `${ALGORITHM}\n${timestamp}\n${date}/${region}/${service}/aws4_request\n${sha256Hex(canonicalRequest)}`;
}

/** The signature (32 bytes) of a string to sign in the scope of the claim, under one secret. */
export function signatureOf(text: string, claim: SignatureClaim, secretAccessKey: string): Uint8Array {
  return createHmac('sha256', signingKeyOf(claim, secretAccessKey)).update(text).digest();
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

/** Values trimmed, inner white space collapsed, repeated headers joined by a comma. */
function canonicalValue(values: readonly string[] = []): string {
  const [first = ''] = values;
  if (values.length === 1) return collapse(first);
  return values.map(collapse).join(',');
}

function collapse(value: string): string {
  return value.trim().replace(/\s+/g, ' ');
}

/** Names come from callers, `__proto__` among them. */
function dictionary<T>(): Record<string, T> {
  return Object.create(null) as Record<string, T>;
}
