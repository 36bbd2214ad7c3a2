import { PatternError } from '../matching/pattern.js';
import { FALSE, TRUE, UNKNOWN, type Tri } from '../matching/tri.js';
import type { Operator } from './operators.js';

/** An address as bytes: 4 for IPv4, 16 for IPv6. */
type Address = readonly number[];

/**
 * An address or a range in CIDR notation; IPv4 and IPv6 never match each other.
 *
 * Not `BlockList` of node:net: there `::/0` holds every IPv4 address, which a policy that says `::/0` does not mean, and a
 * check takes 2.9 µs where this takes 0.3 (IPv4) to 1.1 µs (run on Node 20.20). Where both mean the same, the tests
 * compare them.
 */
export const ipAddress: Operator = {
  compile(value) {
    const { holds } = readRange(value);
    return (actual) => holds(actual);
  },
};

/** A range of addresses, of one or more. */
export interface AddressRange {
  /** Its first part, as it was written. */
  readonly network: string;
  /** Length of the prefix, in bits. */
  readonly bits: number;
  /** UNKNOWN where the text is no address. */
  readonly holds: (address: string) => Tri;
}

/** @throws PatternError where the text is neither an address nor a range in CIDR notation. */
export function readRange(value: string): AddressRange {
  const [text = '', length, ...more] = value.split('/');
  const network = parseAddress(text);
  const given = length === undefined ? undefined : /^\d{1,3}$/.test(length) ? Number(length) : NaN;
  if (network === undefined || more.length > 0 || (given !== undefined && !(given <= network.length * 8))) {
    throw new PatternError('an IPv4 or IPv6 address or a range in CIDR notation');
  }
  const bits = given ?? network.length * 8;
  return {
    network: text,
    bits,
    holds: (actual) => {
      const address = parseAddress(actual);
      if (address === undefined) return UNKNOWN;
      return contains(network, bits, address) ? TRUE : FALSE;
    },
  };
}

function contains(network: Address, bits: number, address: Address): boolean {
  if (address.length !== network.length) return false;
  return network.every((byte, index) => {
    const mask = 0xff00 >> Math.max(0, Math.min(8, bits - index * 8));
    return ((byte ^ (address[index] ?? 0)) & mask & 0xff) === 0;
  });
}

/** An IPv4 address mapped into IPv6 (`::ffff:192.0.2.1`), as dual-stack sockets report it, is the IPv4 address. */
function parseAddress(text: string): Address | undefined {
  if (!text.includes(':')) return parseIPv4(text);
  const address = parseIPv6(text);
  const mapped = address?.slice(0, 12).every((byte, index) => byte === (index < 10 ? 0 : 0xff));
  return address !== undefined && mapped === true ? address.slice(12) : address;
}

function parseIPv4(text: string): Address | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(?:0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return parts.map(Number);
}

/** RFC 4291, section 2.2: at most one `::`, the last 32 bits perhaps in dotted form. A zone (`%eth0`) is ignored. */
function parseIPv6(text: string): Address | undefined {
  const [head = '', tail, ...more] = text.replace(/%.*$/, '').split('::');
  if (more.length > 0) return undefined;
  const front = parseGroups(head);
  const back = tail === undefined ? [] : parseGroups(tail);
  if (front === undefined || back === undefined) return undefined;
  const gap = 16 - front.length - back.length;
  if (tail === undefined ? gap !== 0 : gap < 2) return undefined;
  return [...front, ...Array<number>(gap).fill(0), ...back];
}

function parseGroups(text: string): Address | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (group.includes('.')) {
      const dotted = index === groups.length - 1 ? parseIPv4(group) : undefined;
      if (dotted === undefined) return undefined;
      bytes.push(...dotted);
    } else {
      if (!/^[0-9A-Fa-f]{1,4}$/.test(group)) return undefined;
      const value = Number.parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
    }
  }
  return bytes;
}
