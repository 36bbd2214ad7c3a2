import { fixedHeader, PacketType, type Frame } from './frame.js';
import { Malformed, protocolError } from './malformed.js';
import { readProperties } from './properties.js';
import { Reader } from './reader.js';

/** One of a SUBSCRIBE (MQTT 5, section 3.8.3). */
export interface Subscription {
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  /** Where it stands. */
  readonly start: number;
  readonly end: number;
}

export interface Subscribe {
  readonly packetId: number;
  /** Where the first one stands. */
  readonly start: number;
  readonly subscriptions: readonly Subscription[];
}

/** @throws Malformed */
export function readSubscribe({ bytes, body }: Frame, version: number): Subscribe {
  const reader = new Reader(bytes, body);
  const packetId = readPacketId(reader);
  if (version === 5) reader.at = readProperties(reader).end;
  const first = reader.at;
  const subscriptions: Subscription[] = [];
  while (!reader.done) {
    const start = reader.at;
    const filter = reader.text();
    const options = reader.byte();
    const qos = options & 0x03;
    if (qos === 3 || (options & (version === 5 ? 0xc0 : 0xfc)) !== 0) {
      throw new Malformed('The options of a subscription are none.');
    }
    subscriptions.push({ filter, qos: qos as Subscription['qos'], start, end: reader.at });
  }
  if (subscriptions.length === 0) throw protocolError('A SUBSCRIBE holds no topic filter.');
  return { packetId, start: first, subscriptions };
}

/** The SUBSCRIBE with some of its subscriptions only. */
export function withSubscriptions(frame: Frame, { start }: Subscribe, kept: readonly Subscription[]): Buffer {
  const { bytes, body, flags } = frame;
  const parts = [bytes.subarray(body, start), ...kept.map((one) => bytes.subarray(one.start, one.end))];
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([fixedHeader(PacketType.SUBSCRIBE, flags, length), ...parts]);
}

/** The topic filters of an UNSUBSCRIBE (section 3.10). @throws Malformed */
export function readUnsubscribe({ bytes, body }: Frame, version: number): { packetId: number; filters: string[] } {
  const reader = new Reader(bytes, body);
  const packetId = readPacketId(reader);
  if (version === 5) reader.at = readProperties(reader).end;
  const filters: string[] = [];
  while (!reader.done) filters.push(reader.text());
  if (filters.length === 0) throw protocolError('An UNSUBSCRIBE holds no topic filter.');
  return { packetId, filters };
}

/** Codes of a SUBACK, or of an UNSUBACK of MQTT 5; MQTT 3 has none in UNSUBACK. @throws Malformed */
export function readCodes(
  { bytes, body }: Frame,
  version: number,
): { packetId: number; codesAt: number; codes: Buffer } {
  const reader = new Reader(bytes, body);
  const packetId = reader.uint16();
  if (version === 5) reader.at = readProperties(reader).end;
  return { packetId, codesAt: reader.at, codes: bytes.subarray(reader.at) };
}

/** A SUBACK with other codes than came. */
export function withCodes({ bytes, body, flags, type }: Frame, codesAt: number, codes: Uint8Array): Buffer {
  const head = bytes.subarray(body, codesAt);
  return Buffer.concat([fixedHeader(type, flags, head.length + codes.length), head, codes]);
}

function readPacketId(reader: Reader): number {
  const packetId = reader.uint16();
  if (packetId === 0) throw protocolError('A packet identifier is 0.');
  return packetId;
}
