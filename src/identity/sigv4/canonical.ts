import type { CallerRequest } from '../caller.js';
import type { SignatureClaim } from './claim.js';

/**
 * The canonical request as AWS defines it ("Create a signed AWS API request", step 1) for every service but S3: the path
 * normalized and encoded once more, the query sorted and encoded anew, the signed headers in the order of the claim.
 *
 * What is already canonical is taken as it came, which is nearly everything; the rest is encoded as AWS's signers do.
 * The tests hold it against AWS's own signing library.
 */
export function canonicalRequest(request: CallerRequest, claim: SignatureClaim, payloadHash: string): string {
  const { method, path, query } = request;
  return join(method, canonicalPath(path), canonicalQuery(query), request, claim, payloadHash);
}

/** The same, with path and query just as they were sent. */
export function verbatimRequest(request: CallerRequest, claim: SignatureClaim, payloadHash: string): string {
  const { method, path, rawQuery } = request;
  return join(method, path, rawQuery, request, claim, payloadHash);
}

function join(
  method: string,
  path: string,
  query: string,
  { headers }: CallerRequest,
  { signedHeaders, signedHeaderList }: SignatureClaim,
  payloadHash: string,
): string {
  let text = `${method}\n${path}\n${query}\n`;
  for (const name of signedHeaders) text += `${name}:${canonicalValue(headers.get(name))}\n`;
  return `${text}\n${signedHeaderList}\n${payloadHash}`;
}

/** Empty segments and dot segments are resolved (RFC 3986, section 5.2.4); a slash at the end stays. */
function canonicalPath(path: string): string {
  const normalized = path.includes('//') || path.includes('/.') ? normalize(path) : path;
  return /^[\w.~/-]*$/.test(normalized) ? normalized : encode(normalized).replace(/%2F/g, '/');
}

function normalize(path: string): string {
  const segments: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(segment);
  }
  const end = segments.length > 0 && path.endsWith('/') ? '/' : '';
  return `/${segments.join('/')}${end}`;
}

const SIGNATURE = 'x-amz-signature';

/** Without the signature, which the signer did not have yet. Sorted by what is encoded, values of one name too. */
function canonicalQuery(query: CallerRequest['query']): string {
  const names: string[] = [];
  const texts = new Map<string, string>();
  for (const [name, values] of query) {
    if (name.length === SIGNATURE.length && name.toLowerCase() === SIGNATURE) continue;
    const encoded = encode(name);
    names.push(encoded);
    texts.set(encoded, canonicalValues(encoded, values));
  }
  let text = '';
  for (const name of names.sort()) text += `${text === '' ? '' : '&'}${texts.get(name) ?? ''}`;
  return text;
}

function canonicalValues(name: string, values: readonly string[]): string {
  if (values.length === 1) return `${name}=${encode(values[0] ?? '')}`;
  const texts = values.map((value) => `${name}=${encode(value)}`);
  return texts.sort().join('&');
}

/** Values trimmed, inner white space collapsed, repeated headers joined by a comma. */
function canonicalValue(values: readonly string[] = []): string {
  return values.length === 1 ? collapse(values[0] ?? '') : values.map(collapse).join(',');
}

function collapse(value: string): string {
  return /^\s|\s$|[^\S ]|\s\s/.test(value) ? value.trim().replace(/\s+/g, ' ') : value;
}

/** Percent-encodes all but the unreserved characters (RFC 3986, section 2.3). */
function encode(text: string): string {
  if (/^[\w.~-]*$/.test(text)) return text;
  return encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}
