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

  stringToSign(request: CallerRequest, claim: SignatureClaim, payloadHash: string): Promise<string> {
    const canonicalRequest = this.createCanonicalRequest(
      {
        protocol: '',
        hostname: '',
        method: request.method,
        path: request.path,
        // The signer had no signature yet.
        query: Object.fromEntries(
          [...request.query]
            .filter(([name]) => name !== 'X-Amz-Signature')
            .map(([name, values]) => [name, [...values]]),
        ),
        headers: {},
      },
      canonicalHeaders(request, claim.signedHeaders),
      payloadHash,
    );
    const scope = `${claim.date}/${claim.region}/${claim.service}/aws4_request`;
    return this.createStringToSign(claim.timestamp, scope, canonicalRequest, ALGORITHM);
  }
}

const recomputation = new Recomputation();

/** What the signer of this request fed to the last HMAC. */
export function stringToSign(request: CallerRequest, claim: SignatureClaim, payloadHash: string): Promise<string> {
  return recomputation.stringToSign(request, claim, payloadHash);
}

/** The signature (32 bytes) of a string to sign in the scope of the claim, under one secret. */
export async function signatureOf(text: string, claim: SignatureClaim, secretAccessKey: string): Promise<Uint8Array> {
  // The library caches the derived keys of a day. Scope and time were checked before, and the name of the key, which an
  // unknown caller chooses, has no part in the derivation: so nobody can push the real keys out of the cache.
  const credentials = { accessKeyId: '', secretAccessKey };
  const hmac = new Sha256(await getSigningKey(Sha256, credentials, claim.date, claim.region, claim.service));
  hmac.update(text);
  return hmac.digest();
}

/** Values trimmed, inner white space collapsed, repeated headers joined by a comma. */
function canonicalHeaders(request: CallerRequest, names: readonly string[]): Record<string, string> {
  const canonical = names.map((name) => {
    const values = request.headers.get(name) ?? [];
    return [name, values.map((value) => value.trim().replace(/\s+/g, ' ')).join(',')] as const;
  });
  return Object.fromEntries(canonical);
}
