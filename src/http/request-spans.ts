import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Reason } from '../reasons.js';
import type { RequestSpan, Trace, Tracing } from '../observing/tracing.js';
import { readPeer, splitTarget } from './wire.js';

interface Followed {
  readonly span: RequestSpan;
  reason?: Reason;
  /** Where the answer went past the ordinary response. */
  status?: number;
}

/** The span of each request, from its head until its response is closed, in whatever way. */
export class RequestSpans {
  readonly #tracing: Tracing;
  readonly #followed = new WeakMap<IncomingMessage, Followed>();
  /** Of each connection with pipelined requests: how to end those that have not had their turn. */
  readonly #pipelined = new WeakMap<Socket, Set<() => void>>();

  constructor(tracing: Tracing) {
    this.#tracing = tracing;
  }

  /** A request has come in. Answers its trace. */
  begin(request: IncomingMessage): Trace {
    const { traceparent, tracestate } = request.headers;
    const { sourceIp, sourcePort, secureTransport } = readPeer(request.socket);
    const span = this.#tracing.request({
      method: request.method ?? '',
      path: splitTarget(request.url ?? '').path,
      scheme: secureTransport === true ? 'https' : 'http',
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      tracestate: typeof tracestate === 'string' ? tracestate : undefined,
      sourceIp,
      sourcePort,
    });
    this.#followed.set(request, { span });
    return span;
  }

  /** Ends the span when the response is closed: sent, cut off, or never begun because the caller hung up. */
  endWith(request: IncomingMessage, response: ServerResponse, route: string | undefined): void {
    const end = (): void => {
      const followed = this.#followed.get(request);
      if (followed === undefined) return;
      this.#followed.delete(request);
      const status = followed.status ?? (response.headersSent ? response.statusCode : undefined);
      followed.span.end({ status, route, reason: followed.reason });
    };
    response.once('close', end);
    // A pipelined request gets the connection when its turn comes; if that never comes, its response is never closed.
    if (response.socket === null) {
      const waiting = this.#waitingOn(request.socket);
      waiting.add(end);
      response.once('close', () => waiting.delete(end));
    }
  }

  /** Those who wait for the end of a connection: one listener for them all. */
  #waitingOn(socket: Socket): Set<() => void> {
    const known = this.#pipelined.get(socket);
    if (known !== undefined) return known;
    const waiting = new Set<() => void>();
    this.#pipelined.set(socket, waiting);
    socket.once('close', () => {
      for (const end of waiting) end();
    });
    return waiting;
  }

  /** The trace of a request that has begun. */
  traceOf(request: IncomingMessage): Trace {
    return this.#followed.get(request)?.span ?? this.begin(request);
  }

  /** What became of a request; `status` where the answer goes past the ordinary response. */
  ended(request: IncomingMessage, reason: Reason, status?: number): void {
    const followed = this.#followed.get(request);
    if (followed === undefined) return;
    followed.reason = reason;
    if (status !== undefined) followed.status = status;
  }

  /** Something came in that is no request, and was answered all the same. Answers its trace id. */
  malformed(status: number, reason: Reason): string {
    const span = this.#tracing.request({ method: '', path: '', scheme: 'http' });
    span.end({ status, reason });
    return span.traceId;
  }
}
