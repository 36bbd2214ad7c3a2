import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { CallerRequest } from '../identity/caller.js';
import type { Identity } from '../identity/identity.js';
import { Ended, type Ending } from './rendering.js';
import { readCertificate } from './tls.js';

/** Splits a request target at its first `?`. Both parts stay as they were on the wire. */
export function splitTarget(target: string): { readonly path: string; readonly rawQuery: string } {
  const mark = target.indexOf('?');
  return mark < 0 ? { path: target, rawQuery: '' } : { path: target.slice(0, mark), rawQuery: target.slice(mark + 1) };
}

/**
 * Reads a query: percent-decoded exactly once, `+` is a plus sign (RFC 3986, not a form), every value of a repeated
 * name in order. One reading serves the signature and the operation, so that both always see the same values.
 *
 * @throws Ended where the percent-encoding is broken.
 */
export function readQuery(rawQuery: string): ReadonlyMap<string, readonly string[]> {
  const query = new Map<string, string[]>();
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const equals = part.indexOf('=');
    append(query, decode(equals < 0 ? part : part.slice(0, equals)), equals < 0 ? '' : decode(part.slice(equals + 1)));
  }
  return query;
}

/** The query of a request that was refused, maybe because it cannot be read: then there is none. */
export function knownQuery({ url = '' }: IncomingMessage): ReadonlyMap<string, readonly string[]> {
  try {
    return readQuery(splitTarget(url).rawQuery);
  } catch {
    return new Map();
  }
}

/** The size of a body that has not been read, where the request says it (RFC 9110, section 8.6). */
export function announcedBytes({ headers }: IncomingMessage): number | undefined {
  const length = headers['content-length'];
  return length === undefined ? undefined : Number(length);
}

/** What is wrong with the head of a request, whatever it asks for; undefined where nothing is. */
export function checkHead(message: IncomingMessage): Ending | undefined {
  // RFC 9112, section 3.2. Only the origin form of a target makes sense here: this is no proxy.
  if (!/^\/[\x21-\x7e]*$/.test(message.url ?? '')) {
    return invalidRequest('The request target is not a path of visible ASCII characters.');
  }
  const { rawHeaders } = message;
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? '';
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  return hosts === 1 ? undefined : invalidRequest('There is not exactly one Host header.');
}

function invalidRequest(details: string): Ending {
  return { reason: 'INVALID_REQUEST', details };
}

/** Every header with every value, names in lower case. Node's own `headers` would drop or merge the repeated ones. */
export function readHeaders(message: IncomingMessage): ReadonlyMap<string, readonly string[]> {
  const headers = new Map<string, string[]>();
  const { rawHeaders } = message;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    append(headers, (rawHeaders[index] ?? '').toLowerCase(), decodeHeader(rawHeaders[index + 1] ?? ''));
  }
  return headers;
}

/** A request as far as its head goes, and the transport knows. */
export function headOf({ raw, method }: FastifyRequest): Omit<CallerRequest, 'body'> {
  const { path, rawQuery } = splitTarget(raw.url ?? '');
  return { method, path, rawQuery, query: readQuery(rawQuery), headers: readHeaders(raw), ...readCaller(raw) };
}

/** What the transport knows of the peer, whoever it is. */
export function readPeer(socket: Duplex & Partial<Pick<Socket, 'remoteAddress' | 'remotePort'>>): Identity {
  const { remoteAddress, remotePort } = socket;
  return {
    protocol: 'HTTP',
    secureTransport: socket instanceof TLSSocket,
    // A dual-stack socket writes IPv4 addresses the IPv6 way.
    sourceIp: remoteAddress?.replace(/^::ffff:(?=[0-9.]+$)/, ''),
    sourcePort: remotePort,
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Ended({ reason: 'INVALID_PARAMETER', details: 'The percent-encoding of the query is broken.' });
  }
}

/** The peer with what TLS has established about them. */
export function readCaller(message: IncomingMessage): Pick<CallerRequest, 'peer' | 'certificate' | 'certificateFault'> {
  const peer = readPeer(message.socket);
  if (!(message.socket instanceof TLSSocket)) return { peer };
  return { peer, ...readCertificate(message.socket) };
}

/** Node reads header bytes as Latin-1; whoever sends more than ASCII means UTF-8. */
function decodeHeader(value: string): string {
  return /[\x80-\xff]/.test(value) ? Buffer.from(value, 'latin1').toString('utf8') : value;
}

function append(map: Map<string, string[]>, name: string, value: string): void {
  const values = map.get(name);
  if (values === undefined) map.set(name, [value]);
  else values.push(value);
}
