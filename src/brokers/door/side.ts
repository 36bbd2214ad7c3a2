import type { Duplex } from 'node:stream';
import { gatherWrites } from '../link/gather-writes.js';
import { FrameReader, type Frame } from './wire/frame.js';

/**
 * One of the two streams of a connection: that of the client, or that of the broker.
 *
 * What is passed on one behind the other, as it stood in one chunk, goes out as one piece.
 */
export class Side {
  readonly frames: FrameReader;
  #run: Buffer | undefined;
  #runEnd = 0;

  constructor(
    readonly stream: Duplex,
    maxBytes: number,
  ) {
    this.frames = new FrameReader(maxBytes);
  }

  /** Whether more should wait until `drain`. */
  get isFull(): boolean {
    return this.stream.writableNeedDrain;
  }

  /** Takes from the stream, or lets it wait. */
  setFlowing(flowing: boolean): void {
    if (flowing !== this.stream.isPaused()) return;
    if (flowing) this.stream.resume();
    else this.stream.pause();
  }

  /** Passes a packet on as it came. */
  pass({ bytes }: Frame): void {
    const run = this.#run;
    if (run?.buffer === bytes.buffer && this.#runEnd === bytes.byteOffset) {
      this.#runEnd += bytes.length;
      return;
    }
    this.flush();
    this.#run = bytes;
    this.#runEnd = bytes.byteOffset + bytes.length;
  }

  /** Sends a packet of the door's own, or one that was changed. */
  write(bytes: Buffer): void {
    this.flush();
    this.#send(bytes);
  }

  /** Sends what was passed on. */
  flush(): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    this.#send(Buffer.from(run.buffer, run.byteOffset, this.#runEnd - run.byteOffset));
  }

  #send(bytes: Buffer): void {
    if (this.stream.writable) {
      gatherWrites(this.stream);
      this.stream.write(bytes);
    }
  }
}
