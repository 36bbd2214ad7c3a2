import { protocolError, Malformed } from './malformed.js';
import type { Reader } from './reader.js';

/** Identifiers of the properties that the door looks at (MQTT 5, section 2.2.2.2). */
export const Property = {
  SessionExpiryInterval: 0x11,
  AssignedClientIdentifier: 0x12,
  ServerKeepAlive: 0x13,
  AuthenticationMethod: 0x15,
  ReceiveMaximum: 0x21,
  TopicAliasMaximum: 0x22,
  TopicAlias: 0x23,
  MaximumPacketSize: 0x27,
} as const;

type Kind = 'byte' | 'uint16' | 'uint32' | 'varint' | 'text' | 'binary' | 'pair';

/** What each property holds (section 2.2.2.2, table 2-4). */
const KINDS: Readonly<Record<number, Kind>> = {
  0x01: 'byte',
  0x02: 'uint32',
  0x03: 'text',
  0x08: 'text',
  0x09: 'binary',
  0x0b: 'varint',
  0x11: 'uint32',
  0x12: 'text',
  0x13: 'uint16',
  0x15: 'text',
  0x16: 'binary',
  0x17: 'byte',
  0x18: 'uint32',
  0x19: 'byte',
  0x1a: 'text',
  0x1c: 'text',
  0x1f: 'text',
  0x21: 'uint16',
  0x22: 'uint16',
  0x23: 'uint16',
  0x24: 'byte',
  0x25: 'byte',
  0x26: 'pair',
  0x27: 'uint32',
  0x28: 'byte',
  0x29: 'byte',
  0x2a: 'byte',
};
/** Those that may stand more than once: User Property, and Subscription Identifier in a PUBLISH. */
const REPEATED: ReadonlySet<number> = new Set([0x0b, 0x26]);

/** The properties of one packet: where they stand, and the numbers among them. */
export interface Properties {
  /** Where the Property Length begins. */
  readonly start: number;
  /** Where the properties themselves begin, behind the length. */
  readonly first: number;
  readonly end: number;
  readonly numbers: ReadonlyMap<number, PropertyNumber>;
  /** Identifiers of all that are there. */
  readonly given: ReadonlySet<number>;
  /** Assigned Client Identifier, where there is one. */
  readonly assignedClientId: string | undefined;
}

export interface PropertyNumber {
  readonly value: number;
  /** Where the value stands. */
  readonly at: number;
}

const NO_NUMBERS: ReadonlyMap<number, PropertyNumber> = new Map();
const NONE: ReadonlySet<number> = new Set();

/** Reads over the properties; what each may be in this packet is for the broker to check. @throws Malformed */
export function readProperties(reader: Reader): Properties {
  const start = reader.at;
  const length = reader.varint();
  const first = reader.at;
  const end = first + length;
  if (end > reader.end) throw new Malformed('The properties go beyond the packet.');
  if (length === 0) return { start, first, end, numbers: NO_NUMBERS, given: NONE, assignedClientId: undefined };
  const numbers = new Map<number, PropertyNumber>();
  const seen = new Set<number>();
  let assignedClientId: string | undefined;
  while (reader.at < end) {
    const id = reader.byte();
    const kind = KINDS[id];
    if (kind === undefined) throw new Malformed(`There is no property 0x${id.toString(16)}.`);
    if (seen.has(id) && !REPEATED.has(id)) throw protocolError(`Property 0x${id.toString(16)} is there twice.`);
    seen.add(id);
    const at = reader.at;
    switch (kind) {
      case 'byte':
        numbers.set(id, { value: reader.byte(), at });
        break;
      case 'uint16':
        numbers.set(id, { value: reader.uint16(), at });
        break;
      case 'uint32':
        numbers.set(id, { value: reader.uint32(), at });
        break;
      case 'varint':
        reader.varint();
        break;
      case 'text':
        if (id === Property.AssignedClientIdentifier) assignedClientId = reader.text();
        else reader.textBytes();
        break;
      case 'binary':
        reader.skip(reader.uint16());
        break;
      case 'pair':
        reader.textBytes();
        reader.textBytes();
        break;
    }
  }
  if (reader.at !== end) throw new Malformed('The last property goes beyond the Property Length.');
  return { start, first, end, numbers, given: seen, assignedClientId };
}

export function numberOf({ numbers }: Pick<Properties, 'numbers'>, id: number): number | undefined {
  return numbers.get(id)?.value;
}
