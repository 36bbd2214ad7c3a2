import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** Close codes of RFC 6455, section 7.4.1. */
const NORMAL = 1000;
const UNSUPPORTED_DATA = 1003;

/**
 * MQTT within a WebSocket as a stream (MQTT 5, section 6): packets begin and end anywhere in its messages. A message of text
 * ends it. Holds back in both directions as a socket does.
 */
export class WebSocketStream extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    socket.on('message', (data: Buffer, isBinary) => {
      if (this.readableEnded || this.destroyed || socket.readyState !== socket.OPEN) return;
      if (!isBinary) socket.close(UNSUPPORTED_DATA);
      else if (!this.push(data)) socket.pause();
    });
    // Of what was wrong the peer is told by the close code, and `close` follows.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (!this.destroyed) this.push(null);
    });
  }

  override _read(): void {
    if (this.#socket.isPaused) this.#socket.resume();
  }

  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.send(chunk, { binary: true }, done);
  }

  /** What was gathered is one message. */
  override _writev(pieces: { chunk: unknown }[], done: (error?: Error | null) => void): void {
    this.#socket.send(Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), { binary: true }, done);
  }

  override _final(done: () => void): void {
    const socket = this.#socket;
    if (socket.readyState === socket.CLOSED) {
      done();
      return;
    }
    socket.once('close', () => {
      done();
    });
    socket.close(NORMAL);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.terminate();
    done(error);
  }
}
