import type { IncomingMessage } from 'node:http';
import type { Ending } from './rendering.js';

export const HUNG_UP: Ending = Object.freeze({ reason: 'CALLER_GONE', details: 'The caller hung up.' });

/**
 * The body of a request as it comes, no further ahead than it is taken. Ends early, without a fault, where `signal` is
 * aborted. A caller who hangs up aborts it, so that the beginning of a line is not taken for all of it.
 *
 * @param stirred called for each piece that has come
 */
export async function* incomingChunks(
  message: IncomingMessage,
  stopping: AbortController,
  stirred: () => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  const { signal } = stopping;
  let wake = (): void => undefined;
  const changed = (): void => {
    wake();
  };
  const events = ['readable', 'end', 'close', 'error'] as const;
  for (const event of events) message.on(event, changed);
  signal.addEventListener('abort', changed);
  try {
    while (!signal.aborted) {
      const chunk = message.read() as Uint8Array | null;
      if (chunk !== null) {
        stirred();
        yield chunk;
      } else if (message.readableEnded) {
        return;
      } else if (message.destroyed) {
        stopping.abort(HUNG_UP);
      } else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
  } finally {
    for (const event of events) message.off(event, changed);
    signal.removeEventListener('abort', changed);
  }
}
