import { isIPv4, isIPv6 } from 'node:net';

/** Who stands behind a proxy, by its PROXY protocol header (HAProxy's proxy-protocol.txt, version 1 and 2). */
export interface ProxyHeader {
  /** Bytes of the header. */
  readonly length: number;
  /** Absent where the proxy speaks for itself (health checks), or for a client of a kind that has no such address. */
  readonly client?: { readonly sourceIp: string; readonly sourcePort: number };
}

/** A connection that should begin with a header, and does not. */
export class NoProxyHeader extends Error {
  override readonly name = 'NoProxyHeader';
}

const V1 = Buffer.from('PROXY ');
/** Longest line of version 1, its end included (section 2.1). */
const V1_BYTES = 107;
const V2 = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const V2_FIXED_BYTES = 16;
/** Longest header of version 2: addresses and what proxies add to them take some hundred bytes. */
const V2_BYTES = 4_096;

const LOCAL = 0x20;
const PROXY = 0x21;
const TCP4 = 0x11;
const TCP6 = 0x21;
/** Kinds of clients without an IP address: unspecified, and UNIX sockets (stream). */
const WITHOUT_ADDRESS = [0x00, 0x31];

/**
 * Reads the header at the start of a connection.
 *
 * @returns undefined where more bytes have to come.
 * @throws NoProxyHeader as soon as it cannot be one.
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (startsLike(bytes, V1)) return readLine(bytes);
  if (startsLike(bytes, V2)) return readBinary(bytes);
  throw new NoProxyHeader('It does not begin with a PROXY protocol header.');
}

function startsLike(bytes: Buffer, beginning: Buffer): boolean {
  const length = Math.min(bytes.length, beginning.length);
  return bytes.subarray(0, length).equals(beginning.subarray(0, length));
}

function readLine(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, V1_BYTES).indexOf('\r\n');
  if (end < 0) {
    if (bytes.length >= V1_BYTES) throw new NoProxyHeader('The line of the PROXY protocol does not end.');
    return undefined;
  }
  const length = end + 2;
  const [, family = '', source = '', target = '', sourcePort = '', targetPort = '', ...more] = bytes
    .toString('latin1', 0, end)
    .split(' ');
  if (family === 'UNKNOWN') return { length };
  const isAddress = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isIPv6 : () => false;
  if (!isAddress(source) || !isAddress(target) || !isPort(sourcePort) || !isPort(targetPort) || more.length > 0) {
    throw new NoProxyHeader('The line of the PROXY protocol cannot be read.');
  }
  return { length, client: { sourceIp: source, sourcePort: Number(sourcePort) } };
}

function isPort(text: string): boolean {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535;
}

function readBinary(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length < V2_FIXED_BYTES) return undefined;
  const length = V2_FIXED_BYTES + bytes.readUInt16BE(14);
  if (length > V2_BYTES) throw new NoProxyHeader(`A PROXY protocol header of ${length} bytes.`);
  const command = bytes.readUInt8(12);
  const kind = bytes.readUInt8(13);
  if (command !== LOCAL && command !== PROXY) throw new NoProxyHeader('No command of the PROXY protocol.');
  if (bytes.length < length) return undefined;
  if (command === LOCAL || WITHOUT_ADDRESS.includes(kind)) return { length };
  const addresses = bytes.subarray(V2_FIXED_BYTES, length);
  if (kind === TCP4 && addresses.length >= 12) {
    return { length, client: { sourceIp: addresses.subarray(0, 4).join('.'), sourcePort: addresses.readUInt16BE(8) } };
  }
  if (kind === TCP6 && addresses.length >= 36) {
    return { length, client: { sourceIp: ipv6Of(addresses), sourcePort: addresses.readUInt16BE(32) } };
  }
  throw new NoProxyHeader('The PROXY protocol header has no address of a TCP client.');
}

/** The form that Node has for the same address of a socket. */
function ipv6Of(addresses: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, index) => addresses.readUInt16BE(index * 2).toString(16));
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}
