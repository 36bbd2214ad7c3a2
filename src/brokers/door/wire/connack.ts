import { fixedHeader, PacketType, type Frame } from './frame.js';
import { numberOf, Property, readProperties, type Properties } from './properties.js';
import { Reader } from './reader.js';

/** What the door needs to know of a CONNACK (MQTT 5, section 3.2). */
export interface Connack {
  readonly sessionPresent: boolean;
  readonly reasonCode: number;
  /** Messages of QoS 1 and 2 that the broker takes without an answer. */
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  /** Highest topic alias that a client may use. */
  readonly topicAliasMaximum: number;
  /** In seconds, where the broker has another opinion than the client. */
  readonly serverKeepAlive: number | undefined;
  readonly sessionExpiry: number | undefined;
  readonly assignedClientId: string | undefined;
  readonly properties: Properties | undefined;
}

const MAX_RECEIVE_MAXIMUM = 65_535;

/** @throws Malformed */
export function readConnack({ bytes, body }: Frame, version: number): Connack {
  const reader = new Reader(bytes, body);
  const sessionPresent = (reader.byte() & 0x01) !== 0;
  const reasonCode = reader.byte();
  const properties = version === 5 && !reader.done ? readProperties(reader) : undefined;
  const number = (id: number): number | undefined => properties && numberOf(properties, id);
  return {
    sessionPresent,
    reasonCode,
    receiveMaximum: number(Property.ReceiveMaximum) ?? MAX_RECEIVE_MAXIMUM,
    maximumPacketSize: number(Property.MaximumPacketSize) ?? Infinity,
    topicAliasMaximum: number(Property.TopicAliasMaximum) ?? 0,
    serverKeepAlive: number(Property.ServerKeepAlive),
    sessionExpiry: number(Property.SessionExpiryInterval),
    assignedClientId: properties?.assignedClientId,
    properties,
  };
}

/** What the door says to an MQTT 5 client in the place of the broker. */
export interface ConnackChanges {
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  /** Where the door gave the client its ID. */
  readonly assignedClientId: string | undefined;
}

/** The CONNACK of an MQTT 5 broker with other limits in it; everything else stays as it came. */
export function changeConnack({ bytes, body, flags }: Frame, connack: Connack, changes: ConnackChanges): Buffer {
  const { properties } = connack;
  const kept: Buffer[] = [];
  if (properties !== undefined) {
    const replaced = [Property.ReceiveMaximum, Property.MaximumPacketSize]
      .flatMap((id) => properties.numbers.get(id)?.at ?? [])
      .sort((a, b) => a - b);
    let from = properties.first;
    for (const at of replaced) {
      kept.push(bytes.subarray(from, at - 1));
      from = at + (bytes[at - 1] === Property.ReceiveMaximum ? 2 : 4);
    }
    kept.push(bytes.subarray(from, properties.end));
  }
  const limits = Buffer.alloc(8);
  limits.writeUInt8(Property.ReceiveMaximum, 0);
  limits.writeUInt16BE(changes.receiveMaximum, 1);
  limits.writeUInt8(Property.MaximumPacketSize, 3);
  limits.writeUInt32BE(changes.maximumPacketSize, 4);
  kept.push(limits);
  if (changes.assignedClientId !== undefined) {
    const text = Buffer.from(changes.assignedClientId);
    kept.push(Buffer.of(Property.AssignedClientIdentifier, text.length >> 8, text.length & 0xff), text);
  }
  const all = Buffer.concat(kept);
  const length = variableByteInteger(all.length);
  const header = bytes.subarray(body, body + 2);
  return Buffer.concat([fixedHeader(PacketType.CONNACK, flags, 2 + length.length + all.length), header, length, all]);
}

/** A Variable Byte Integer (section 1.5.5). */
function variableByteInteger(value: number): Buffer {
  return fixedHeader(0, 0, value).subarray(1);
}
