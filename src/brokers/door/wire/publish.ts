import { isUtf8 } from 'node:buffer';
import { fixedHeader, PacketType, type Frame } from './frame.js';
import { Malformed, protocolError } from './malformed.js';
import { Property, readProperties } from './properties.js';
import { Reader } from './reader.js';

/** What the door needs to know of a PUBLISH (MQTT 5, section 3.3). */
export interface Publish {
  readonly qos: number;
  readonly retain: boolean;
  readonly dup: boolean;
  /** As it stands in the packet: empty where a topic alias stands for it. */
  readonly topic: string;
  readonly alias: number | undefined;
  /** 0 at QoS 0. */
  readonly packetId: number;
  /** Where the packet identifier stands. */
  readonly packetIdAt: number;
  /** Bytes of the payload. */
  readonly payloadBytes: number;
}

/** @throws Malformed */
export function readPublish({ bytes, body, flags }: Frame, version: number): Publish {
  const qos = (flags >> 1) & 0x03;
  if (qos === 3) throw new Malformed('A PUBLISH has QoS 3.');
  const dup = (flags & 0x08) !== 0;
  if (dup && qos === 0) throw new Malformed('A PUBLISH of QoS 0 has DUP.');
  const reader = new Reader(bytes, body);
  const topic = readTopic(reader);
  const packetIdAt = reader.at;
  const packetId = qos === 0 ? 0 : reader.uint16();
  if (qos > 0 && packetId === 0) throw protocolError('A packet identifier is 0.');
  let alias: number | undefined;
  if (version === 5) {
    // Most have none, and a look at the length is all that it takes.
    if (bytes[reader.at] === 0) reader.at += 1;
    else alias = readProperties(reader).numbers.get(Property.TopicAlias)?.value;
  }
  return {
    qos,
    retain: (flags & 0x01) !== 0,
    dup,
    topic,
    alias,
    packetId,
    packetIdAt,
    payloadBytes: reader.end - reader.at,
  };
}

function readTopic(reader: Reader): string {
  const binary = reader.binary();
  let isAscii = true;
  for (const byte of binary) {
    if (byte === 0) throw new Malformed('The topic of a PUBLISH holds U+0000.');
    if (byte > 0x7f) isAscii = false;
  }
  if (isAscii) return binary.toString('latin1');
  if (!isUtf8(binary)) throw new Malformed('The topic of a PUBLISH is not well-formed UTF-8.');
  return binary.toString();
}

/** The PUBLISH with a topic where only an alias stood. */
export function withTopic({ bytes, body, flags }: Frame, topic: string): Buffer {
  const text = Buffer.from(topic);
  const rest = bytes.subarray(body + 2);
  const header = fixedHeader(PacketType.PUBLISH, flags, 2 + text.length + rest.length);
  return Buffer.concat([header, Buffer.of(text.length >> 8, text.length & 0xff), text, rest]);
}

/** The packet identifier of a PUBLISH of QoS 1 or 2 that was read before. */
export function placeOfPacketId({ bytes, body, flags }: Frame): Pick<Publish, 'packetId' | 'packetIdAt' | 'qos'> {
  const packetIdAt = body + 2 + bytes.readUInt16BE(body);
  return { packetId: bytes.readUInt16BE(packetIdAt), packetIdAt, qos: (flags >> 1) & 0x03 };
}

/** The packet identifier of PUBACK, PUBREC, PUBREL or PUBCOMP, which stands first. @throws Malformed */
export function packetIdOf({ bytes, body }: Frame): number {
  return new Reader(bytes, body).uint16();
}

/** Reason code of PUBACK, PUBREC, PUBREL or PUBCOMP; 0 where it is left out (section 3.4.2.1). */
export function reasonCodeOf({ bytes, body }: Frame): number {
  return bytes[body + 2] ?? 0;
}
