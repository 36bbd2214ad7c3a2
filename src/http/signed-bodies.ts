import type { IncomingMessage } from 'node:http';
import { HUNG_UP, incomingChunks } from './incoming-chunks.js';
import { Ended, retryAfter } from './rendering.js';
import { announcedBytes } from './wire.js';

/** Most bytes of a body that has to be read before its caller is known. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Such bodies at once: nobody has proved anything yet, and each takes memory. */
const MAX_BODIES = 4;
const RETRY_MS = 1_000;

/** Bodies that are read whole before anything of them is acted upon. */
export class SignedBodies {
  #reading = 0;

  /** @throws Ended where the body is too large, or too many others are being read. */
  async read(message: IncomingMessage): Promise<Uint8Array> {
    if ((announcedBytes(message) ?? 0) > MAX_BYTES) throw tooLarge();
    if (this.#reading >= MAX_BODIES) {
      const details = `${MAX_BODIES} signed batches are being read: a batch over mutual TLS, or with a token, need not wait.`;
      throw new Ended({ reason: 'ACCOUNT_THROTTLED', details, headers: retryAfter(RETRY_MS) });
    }
    this.#reading += 1;
    try {
      return await readWhole(message);
    } finally {
      this.#reading -= 1;
    }
  }
}

async function readWhole(message: IncomingMessage): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  const hungUp = new AbortController();
  for await (const piece of incomingChunks(message, hungUp)) {
    bytes += piece.length;
    if (bytes > MAX_BYTES) throw tooLarge();
    pieces.push(piece);
  }
  if (hungUp.signal.aborted) throw new Ended(HUNG_UP);
  return Buffer.concat(pieces, bytes);
}

function tooLarge(): Ended {
  return new Ended({ reason: 'PAYLOAD_TOO_LARGE', details: `A signed batch has at most ${MAX_BYTES} bytes.` });
}
