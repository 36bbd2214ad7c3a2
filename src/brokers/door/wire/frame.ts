import { Malformed } from './malformed.js';

/** Control packet types (MQTT 5, section 2.1.2). */
export const PacketType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

/** One control packet as it came. `bytes` is a part of what the socket gave, and may be written to. */
export interface Frame {
  readonly type: number;
  /** The low four bits of the first byte (section 2.1.3). */
  readonly flags: number;
  /** All of it, the fixed header included. */
  readonly bytes: Buffer;
  /** Where the variable header begins. */
  readonly body: number;
}

const NOTHING = Buffer.alloc(0);
/** Longest Remaining Length (section 1.5.5). */
const MAX_LENGTH_BYTES = 4;

/**
 * Takes a stream of bytes apart into control packets. Frames are taken one by one, so that whoever reads them can stop in
 * the middle of a chunk; what is not taken stays here, and is never more than one packet and one chunk.
 */
export class FrameReader {
  #head: Buffer = NOTHING;
  /** What came behind `#head` while its packet is not whole. Joined once, when it is. */
  #tail: Buffer[] = [];
  #tailBytes = 0;
  /** Bytes of the packet at the start of `#head`, as soon as its Remaining Length is known. */
  #wanted = 0;

  /** @param maxBytes largest packet that is taken; more is Malformed with 0x95 (Packet too large). */
  constructor(public maxBytes: number) {}

  /** Bytes that were not taken. */
  get size(): number {
    return this.#head.length + this.#tailBytes;
  }

  /** The first byte that was not taken. */
  get first(): number | undefined {
    return this.#head[0];
  }

  push(chunk: Buffer): void {
    if (this.#head.length === 0) {
      this.#head = chunk;
      return;
    }
    this.#tail.push(chunk);
    this.#tailBytes += chunk.length;
    if (this.size >= this.#wanted) this.#join();
  }

  /** The next whole packet; undefined where more bytes have to come. @throws Malformed */
  next(): Frame | undefined {
    const head = this.#head;
    const first = head[0];
    if (first === undefined) return undefined;
    let length = 0;
    let body = 1;
    for (; ; body++) {
      const byte = head[body];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 2 ** (7 * (body - 1));
      if (byte < 0x80) break;
      if (body === MAX_LENGTH_BYTES) throw new Malformed('The Remaining Length has more than four bytes.');
    }
    body += 1;
    const end = body + length;
    if (end > this.maxBytes) throw new Malformed(`A packet of ${end} bytes; ${this.maxBytes} are taken.`, 0x95);
    if (head.length < end) {
      this.#wanted = end;
      // A few bytes must not keep the whole chunk that they came in.
      if (head.length < head.buffer.byteLength / 2) this.#head = Buffer.from(head);
      return undefined;
    }
    this.#wanted = 0;
    this.#head = head.length === end ? NOTHING : head.subarray(end);
    return { type: first >> 4, flags: first & 0x0f, bytes: head.subarray(0, end), body };
  }

  #join(): void {
    this.#head = Buffer.concat([this.#head, ...this.#tail]);
    this.#tail = [];
    this.#tailBytes = 0;
  }
}

/** The frame of bytes that are one whole packet. */
export function frameOf(bytes: Buffer): Frame {
  const first = bytes[0] as number;
  let body = 1;
  while ((bytes[body] as number) >= 0x80) body += 1;
  return { type: first >> 4, flags: first & 0x0f, bytes, body: body + 1 };
}

/** Fixed header of a packet (section 2.1.4). */
export function fixedHeader(type: number, flags: number, length: number): Buffer {
  const bytes = [(type << 4) | flags];
  for (let rest = length; ;) {
    const low = rest % 0x80;
    rest = Math.floor(rest / 0x80);
    bytes.push(rest > 0 ? low | 0x80 : low);
    if (rest === 0) return Buffer.from(bytes);
  }
}
