import { isUtf8 } from 'node:buffer';
import { Malformed } from './malformed.js';

/** Reads the fields of one packet in order. Whatever goes beyond its end is Malformed. */
export class Reader {
  constructor(
    readonly bytes: Buffer,
    public at: number,
    readonly end = bytes.length,
  ) {}

  byte(): number {
    return this.bytes[this.#take(1)] as number;
  }

  uint16(): number {
    return this.bytes.readUInt16BE(this.#take(2));
  }

  uint32(): number {
    return this.bytes.readUInt32BE(this.#take(4));
  }

  /** Variable Byte Integer (section 1.5.5). */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new Malformed('A Variable Byte Integer has more than four bytes.');
  }

  /** Binary data (section 1.5.6), not copied. */
  binary(): Buffer {
    const length = this.uint16();
    const start = this.#take(length);
    return this.bytes.subarray(start, start + length);
  }

  /** UTF-8 string (section 1.5.4): well-formed, without U+0000. */
  text(): string {
    return this.textBytes().toString();
  }

  /** The bytes of a UTF-8 string, checked and not copied. */
  textBytes(): Buffer {
    const binary = this.binary();
    if (isUtf8(binary) && !binary.includes(0)) return binary;
    throw new Malformed('A string is not well-formed UTF-8, or holds U+0000.');
  }

  skip(length: number): void {
    this.#take(length);
  }

  get done(): boolean {
    return this.at === this.end;
  }

  #take(length: number): number {
    const start = this.at;
    if (start + length > this.end) throw new Malformed('A packet ends within a field.');
    this.at = start + length;
    return start;
  }
}
