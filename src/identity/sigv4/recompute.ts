import { getSigningKey, SignatureV4Base } from '@smithy/signature-v4';
import type { CallerRequest } from '../caller.js';
import { ALGORITHM, type SignatureClaim } from './claim.js';
import { Sha256 } from './sha256.js';

/**
 * Recomputes signatures by the parts of AWS's own signing library, so that what is canonical is decided in one place
 * for signer and verifier. Its ready-made `sign` would not do: it chooses the headers to sign and the time by itself,
 * and here both are the caller's.
 */
class Recomputation extends SignatureV4Base {
  constructor() {
    const unused = { service: '', region: '', credentials: { accessKeyId: '', secretAccessKey: '' } };
    super({ ...unused, sha256: Sha256, uriEscapePath: true, applyChecksum: false });
  }

  /** As AWS defines it: the path normalized and encoded once more, the query sorted and encoded anew. */
  canonical(request: CallerRequest, claim: SignatureClaim, payloadHash: string): Promise<string> {
    // The signer had no signature yet.
    const query = [...request.query].filter(([name]) => name !== 'X-Amz-Signature');
    const { method, path } = request;
    const parts = { method, path, query: Object.fromEntries(query.map(([name, values]) => [name, [...values]])) };
    const headers = canonicalHeaders(request, claim.signedHeaders);
    return this.#stringToSign(
      claim,
      this.createCanonicalRequest({ protocol: '', hostname: '', headers: {}, ...parts }, headers, payloadHash),
    );
  }

  /** Path and query just as they were sent. */
  verbatim(request: CallerRequest, claim: SignatureClaim, payloadHash: string): Promise<string> {
    const headers = Object.entries(canonicalHeaders(request, claim.signedHeaders));
    const lines = headers.map(([name, value]) => `${name}:${value}`);
    const { method, path, rawQuery } = request;
    const canonical = [method, path, rawQuery, ...lines, '', claim.signedHeaders.join(';'), payloadHash].join('\n');
    return this.#stringToSign(claim, canonical);
  }

  #stringToSign(claim: SignatureClaim, canonicalRequest: string): Promise<string> {
    const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
    return this.createStringToSign(claim.timestamp, scope, canonicalRequest, ALGORITHM);
  }
}

const recomputation = new Recomputation();

/**
 * What the signer of this request may have fed to the last HMAC, likeliest first.
 *
 * Beside AWS's own form there is that of older curls (7.88 of Debian 12), which sign path and query just as they are:
 * https://github.com/curl/curl/issues/9717. It binds every byte that was sent. Paths with `%25` are left out: AWS's form
 * of a path with `%2F` has `%252F`, so that a signature over the one might be replayed for the other.
 */
export async function* stringsToSign(
  request: CallerRequest,
  claim: SignatureClaim,
  payloadHash: string,
): AsyncGenerator<string> {
  yield await recomputation.canonical(request, claim, payloadHash);
  if (claim.form === 'header' && !request.path.includes('%25')) {
    yield await recomputation.verbatim(request, claim, payloadHash);
  }
}

/** The signature (32 bytes) of a string to sign in the scope of the claim, under one secret. */
export async function signatureOf(text: string, claim: SignatureClaim, secretAccessKey: string): Promise<Uint8Array> {
  const hmac = new Sha256(await signingKeyOf(claim, secretAccessKey));
  hmac.update(text);
  return hmac.digest();
}

const MAX_SIGNING_KEYS = 1_000;
const signingKeys = new Map<string, Uint8Array>();

/** The library keeps derived keys too, but computes a HMAC to look one up, which is a good part of a verification. */
async function signingKeyOf({ date, region, service }: SignatureClaim, secretAccessKey: string): Promise<Uint8Array> {
  // Scope and time were checked before, and the name of the key, which an unknown caller chooses, has no part in the
  // derivation: so nobody can push the real keys out.
  const name = `${date}/${region}/${service}/${secretAccessKey}`;
  const known = signingKeys.get(name);
  if (known !== undefined) return known;
  const credentials = { accessKeyId: '', secretAccessKey };
  const key = await getSigningKey(Sha256, credentials, date, region, service);
  const [oldest] = signingKeys.size >= MAX_SIGNING_KEYS ? signingKeys.keys() : [];
  if (oldest !== undefined) signingKeys.delete(oldest);
  signingKeys.set(name, key);
  return key;
}

/** Values trimmed, inner white space collapsed, repeated headers joined by a comma. */
function canonicalHeaders(request: CallerRequest, names: readonly string[]): Record<string, string> {
  const canonical = names.map((name) => {
    const values = request.headers.get(name) ?? [];
    return [name, values.map((value) => value.trim().replace(/\s+/g, ' ')).join(',')] as const;
  });
  return Object.fromEntries(canonical);
}
