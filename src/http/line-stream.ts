import type { ServerResponse } from 'node:http';
import { OutgoingLines } from './outgoing-lines.js';

/** An empty line this often finds readers that are gone without a word, and keeps proxies from closing. */
const HEARTBEAT_MS = 15_000;

/** Writes lines as they come, as fast as the reader takes them, and ends the answer after the last. Never rejects. */
export async function streamLines(response: ServerResponse, lines: AsyncIterable<string>): Promise<void> {
  response.on('error', () => response.destroy());
  response.flushHeaders();
  const out = new OutgoingLines(response);
  const heartbeat = setInterval(() => {
    if (!out.blocked) void out.write('\n');
  }, HEARTBEAT_MS);
  try {
    for await (const line of lines) {
      await out.write(line);
      if (response.destroyed) return;
    }
    response.end();
  } catch {
    // Whoever makes the lines says why; the reader is told that there are no more.
    response.destroy();
  } finally {
    clearInterval(heartbeat);
  }
}
