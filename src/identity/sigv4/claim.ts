import type { CallerRequest } from '../caller.js';

export const ALGORITHM = 'AWS4-HMAC-SHA256';

/** What a request says about its signature; nothing of it is verified yet. */
export interface SignatureClaim {
  readonly form: 'header' | 'presigned';
  readonly accessKeyId: string;
  /** Credential scope: `yyyymmdd`, region, service. */
  readonly date: string;
  readonly region: string;
  readonly service: string;
  /** Names of the signed headers, in lower case, sorted. */
  readonly signedHeaders: readonly string[];
  /** The same as signed: with `;` between them. */
  readonly signedHeaderList: string;
  /** 64 hexadecimal digits. */
  readonly signature: string;
  /** Time of signing: `yyyymmddThhmmssZ` as signed, and in milliseconds since 1970. */
  readonly timestamp: string;
  readonly timeMs: number;
  /** Presigned form only: how long the signature is valid from `timeMs` on, in seconds, 1 to 604,800 (7 days). */
  readonly expiresSeconds?: number | undefined;
  readonly sessionToken?: string | undefined;
}

/** A claim is in the head of a request alone. */
type Head = Pick<CallerRequest, 'headers' | 'query'>;

/** The claim of a request; its fault where it is malformed; undefined where the request is not signed with SigV4. */
export function readClaim(request: Head): SignatureClaim | { readonly fault: string } | undefined {
  const authorization = request.headers.get('authorization') ?? [];
  const byHeader = authorization.some(isAws);
  const byQuery = request.query.has('X-Amz-Signature') || request.query.has('X-Amz-Algorithm');
  if (!byHeader && !byQuery) return undefined;
  try {
    if (byHeader && byQuery) throw new Malformed('Signed both in the Authorization header and in the query.');
    return byHeader ? readHeader(request, only(authorization, 'Authorization header')) : readQuery(request);
  } catch (error) {
    if (error instanceof Malformed) return { fault: error.message };
    throw error;
  }
}

function isAws(authorization: string): boolean {
  return /^\s*AWS4-/i.test(authorization);
}

/** Stays inside this file: it carries the fault out of the readers. */
class Malformed extends Error {}

/** What AWS's SDKs and the CLI send: the three parts in this order. */
const USUAL = /^(AWS4-HMAC-SHA256) Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([^,\s]+)$/;

function readHeader(request: Head, authorization: string): SignatureClaim {
  const usual = USUAL.exec(authorization);
  const parts = usual === null ? readParts(authorization.trim()) : partsOf(usual);
  const token = request.headers.get('x-amz-security-token');
  return readCommon({
    form: 'header',
    ...parts,
    timestamp: only(request.headers.get('x-amz-date'), 'X-Amz-Date header'),
    expiresSeconds: undefined,
    sessionToken: token && only(token, 'X-Amz-Security-Token header'),
  });
}

type Parts = Pick<ClaimText, 'algorithm' | 'credential' | 'signedHeaders' | 'signature'>;

function partsOf([, algorithm = '', credential = '', signedHeaders = '', signature = '']: RegExpExecArray): Parts {
  return { algorithm, credential, signedHeaders, signature };
}

/** In any order, with any white space. */
function readParts(text: string): Parts {
  const [algorithm = ''] = /^\S*/.exec(text) ?? [];
  const parts = new Map<string, string>();
  for (const part of text.slice(algorithm.length).split(',')) {
    const equals = part.indexOf('=');
    const name = part.slice(0, equals).trim();
    if (equals < 0 || parts.has(name)) throw new Malformed('The Authorization header is malformed.');
    parts.set(name, part.slice(equals + 1).trim());
  }
  return {
    algorithm,
    credential: partOf(parts, 'Credential'),
    signedHeaders: partOf(parts, 'SignedHeaders'),
    signature: partOf(parts, 'Signature'),
  };
}

function readQuery(request: Head): SignatureClaim {
  const expires = parameterOf(request, 'X-Amz-Expires');
  const expiresSeconds = /^[0-9]{1,6}$/.test(expires) ? Number(expires) : 0;
  if (expiresSeconds < 1 || expiresSeconds > 604_800) {
    throw new Malformed('X-Amz-Expires is not a whole number from 1 to 604800.');
  }
  const hasToken = request.query.has('X-Amz-Security-Token');
  return readCommon({
    form: 'presigned',
    algorithm: parameterOf(request, 'X-Amz-Algorithm'),
    credential: parameterOf(request, 'X-Amz-Credential'),
    signedHeaders: parameterOf(request, 'X-Amz-SignedHeaders'),
    signature: parameterOf(request, 'X-Amz-Signature'),
    timestamp: parameterOf(request, 'X-Amz-Date'),
    expiresSeconds,
    sessionToken: hasToken ? parameterOf(request, 'X-Amz-Security-Token') : undefined,
  });
}

function partOf(parts: ReadonlyMap<string, string>, name: string): string {
  return parts.get(name) ?? missing(`${name} in the Authorization header`);
}

function parameterOf({ query }: Head, name: string): string {
  return only(query.get(name), `query parameter ${name}`);
}

/** What both forms have in common, still as text, and what is theirs alone. */
interface ClaimText {
  readonly form: SignatureClaim['form'];
  readonly algorithm: string;
  readonly credential: string;
  readonly signedHeaders: string;
  readonly signature: string;
  readonly timestamp: string;
  readonly expiresSeconds: number | undefined;
  readonly sessionToken: string | undefined;
}

function readCommon(text: ClaimText): SignatureClaim {
  if (text.algorithm !== ALGORITHM) throw new Malformed(`The algorithm is not ${ALGORITHM}.`);
  const { accessKeyId, date, region, service } = readScope(text.credential);
  if (!/^[0-9a-f]{64}$/.test(text.signature)) throw new Malformed('Signature is not 64 hexadecimal digits.');
  const signedHeaders = readNames(text.signedHeaders);
  const timeMs = readTime(text.timestamp);
  if (!text.timestamp.startsWith(date)) throw new Malformed('The dates of X-Amz-Date and of Credential differ.');
  return {
    form: text.form,
    accessKeyId,
    date,
    region,
    service,
    signedHeaders,
    signedHeaderList: text.signedHeaders,
    signature: text.signature,
    timestamp: text.timestamp,
    timeMs,
    expiresSeconds: text.expiresSeconds,
    sessionToken: text.sessionToken,
  };
}

type Scope = Pick<SignatureClaim, 'accessKeyId' | 'date' | 'region' | 'service'>;

const readScope = remembering((text: string): Scope => {
  // The ID goes into the log unverified, so it must look like one: as in the credentials file, or as in AWS's examples.
  const credential = /^(\w{1,128})\/([0-9]{8})\/([^/]+)\/([^/]+)\/aws4_request$/.exec(text);
  if (credential === null) throw new Malformed('Credential is not accessKeyId/date/region/service/aws4_request.');
  const [, accessKeyId = '', date = '', region = '', service = ''] = credential;
  return { accessKeyId, date, region, service };
});

const readNames = remembering((text: string): readonly string[] => {
  const names = text.split(';');
  let before = '';
  for (const name of names) {
    if (name <= before) throw new Malformed('SignedHeaders is not a sorted list of distinct names.');
    before = name;
  }
  return names;
});

/** Milliseconds since 1970: ISO 8601 basic format, the only one that SigV4 knows. */
const readTime = remembering((text: string): number => {
  const parts = /^([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})Z$/.exec(text);
  const [, year = '', month = '', day = '', hour = '', minute = '', second = ''] = parts ?? [];
  const iso = `${year}-${month}-${day}T${hour}:${minute}:${second}.000Z`;
  const time = new Date(iso);
  // A day or an hour that there is not is no time, or becomes another: 30 February is read as a day of March.
  if (Number.isNaN(time.getTime()) || time.toISOString() !== iso) {
    throw new Malformed('X-Amz-Date is not a time of the form yyyymmddThhmmssZ.');
  }
  return time.getTime();
});

/** How many texts a reader remembers, those of the access keys and SDKs in use and of the last seconds, and how long ones. */
const MAX_REMEMBERED = 256;
const MAX_LENGTH = 512;

/** Callers send the same scope, the same names and the same second again and again. What throws is not remembered. */
function remembering<T>(read: (text: string) => T): (text: string) => T {
  const known = new Map<string, T>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const value = read(text);
    if (known.size >= MAX_REMEMBERED) known.clear();
    if (text.length <= MAX_LENGTH) known.set(text, value);
    return value;
  };
}

/** The one value; none and several are faults, because which of several counts must never be a guess. */
function only(values: readonly string[] | undefined, what: string): string {
  if (values?.length !== 1 || values[0] === undefined) return missing(what);
  return values[0];
}

function missing(what: string): never {
  throw new Malformed(`Not exactly one ${what}.`);
}
