import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable, type Duplex } from 'node:stream';
import { OutgoingLines } from './outgoing-lines.js';
import type { StreamedOperation, StreamedRequest } from './operation.js';
import { linger } from './raw-answer.js';
import { render, type Ending } from './rendering.js';
import { HUNG_UP, incomingChunks } from './incoming-chunks.js';

/** A streamed request as it came, its caller known. */
export interface Streamed {
  readonly operation: StreamedOperation;
  readonly message: IncomingMessage;
  readonly response: ServerResponse;
  /** The whole body, where it had to be read to know the caller. */
  readonly body: Uint8Array | undefined;
  readonly request: Omit<StreamedRequest, 'chunks' | 'write' | 'signal'>;
}

/** Requests that are being answered while they still come. */
export class Streams {
  readonly #idleMs: number;
  #draining = false;
  readonly #running = new Map<Duplex, AbortController>();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** Whether no new ones are begun. */
  get draining(): boolean {
    return this.#draining;
  }

  get size(): number {
    return this.#running.size;
  }

  /** Whether a request on this connection is one of them. */
  has(socket: Duplex): boolean {
    return this.#running.has(socket);
  }

  /** No more is read of the request on this connection; what is under way finishes. */
  stop(socket: Duplex, ending: Ending): void {
    this.#running.get(socket)?.abort(ending);
  }

  /** The same for all of them. */
  stopAll(ending: Ending): void {
    for (const controller of this.#running.values()) controller.abort(ending);
  }

  /** The same, for good. */
  drain(): void {
    this.#draining = true;
    this.stopAll({ reason: 'SHUTTING_DOWN' });
  }

  /** Answers a request, to the end. */
  async answer({ operation, message, response, body, request }: Streamed): Promise<Ending | undefined> {
    const { socket } = message;
    const stopping = new AbortController();
    this.#running.set(socket, stopping);
    response.once('close', () => {
      if (!response.writableFinished) stopping.abort(HUNG_UP);
    });
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'x-amzn-requestid': request.traceId });
    response.flushHeaders();
    const lines = new OutgoingLines(response);
    const idle = setTimeout(() => {
      // Slow devices are no fault of the caller's; not to read is.
      if (lines.blocked) {
        stopping.abort(NOT_READ);
        socket.destroy();
      } else if (run.busy) idle.refresh();
      else stopping.abort(STANDS_STILL);
    }, this.#idleMs);
    const stirred = (): void => {
      idle.refresh();
    };
    const run = operation.stream({
      ...request,
      chunks: body === undefined ? incomingChunks(message, stopping, stirred) : Readable.from([body]),
      signal: stopping.signal,
      write: (line) => lines.write(line).then(stirred),
    });
    try {
      const ending = await run.done;
      if (ending !== undefined) await lines.write(lastLine(ending, request.traceId));
      return ending;
    } finally {
      clearTimeout(idle);
      this.#running.delete(socket);
      end(message, response);
    }
  }
}

const NOT_READ: Ending = { reason: 'INVALID_REQUEST', details: 'The outcomes were not read in time.' };
const STANDS_STILL: Ending = { reason: 'INVALID_REQUEST', details: 'The rest of the body did not come in time.' };

/** What ended the request before its end: a line that is no message's. */
function lastLine(ending: Ending, traceId: string): string {
  const { status, body } = render(ending, traceId);
  return `${body.slice(0, -1)},"status":${status}}\n`;
}

/** Ends the answer; and the connection, where the rest of the request is not going to be read. */
function end(message: IncomingMessage, response: ServerResponse): void {
  if (message.complete) {
    response.end();
    return;
  }
  response.end(() => {
    message.resume();
    message.socket.end();
    linger(message.socket);
  });
}
