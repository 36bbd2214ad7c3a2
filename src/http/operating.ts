import type { FastifyReply, FastifyRequest } from 'fastify';
import type { ServerResponse } from 'node:http';
import { authenticateCaller, type CallerAuthenticator, type CallerRequest } from '../identity/caller.js';
import type { Identity } from '../identity/identity.js';
import type { CallerThrottle } from '../throttling/caller-throttle.js';
import { streamLines } from './line-stream.js';
import type { Operation, StreamedOperation } from './operation.js';
import { Ended, endingOf, retryAfter } from './rendering.js';
import { send } from './reply.js';
import type { RequestSpans } from './request-spans.js';
import { SignedBodies } from './signed-bodies.js';
import type { Streams } from './streams.js';
import type { Withdrawals } from './withdrawals.js';
import { headOf } from './wire.js';

/** Streamed requests at once; each may have a thousand messages under way. */
const MAX_STREAMS = 8;
const STREAM_RETRY_MS = 1_000;

export interface OperatingOptions {
  /** In order of precedence. */
  readonly authenticators: readonly CallerAuthenticator[];
  readonly throttle?: CallerThrottle;
}

/** Brings requests to their operations. */
export class Operating {
  readonly #options: OperatingOptions;
  readonly #spans: RequestSpans;
  readonly #streams: Streams;
  readonly #withdrawals: Withdrawals;
  /** Answers that go on until their reader goes. */
  readonly #readers = new Set<ServerResponse>();
  readonly #signedBodies = new SignedBodies();

  constructor(options: OperatingOptions, spans: RequestSpans, streams: Streams, withdrawals: Withdrawals) {
    this.#options = options;
    this.#spans = spans;
    this.#streams = streams;
    this.#withdrawals = withdrawals;
  }

  /** Finds out who calls, and hands over to the operation. Rejects with what ended the request before it. */
  async answer(operation: Operation, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if ('stream' in operation) return this.#stream(operation, request, reply);
    const { raw, id: traceId } = request;
    const head = headOf(request);
    const body = (request.body as Buffer | undefined) ?? Buffer.alloc(0);
    const caller = await this.#authenticate({ ...head, body });
    const throttled = this.#options.throttle?.check(caller);
    if (throttled !== undefined) {
      const { details, retryAfterMs } = throttled;
      throw new Ended({ reason: 'ACCOUNT_THROTTLED', details, headers: retryAfter(retryAfterMs) }, caller);
    }
    const { path, query, headers } = head;
    const labels = request.params as Record<string, string>;
    const trace = this.#spans.traceOf(raw);
    const answer = await operation
      .answer({
        traceId,
        trace,
        caller,
        path,
        labels,
        query,
        headers,
        body,
        withdrawal: () => this.#withdrawals.of(reply.raw),
      })
      .catch((error: unknown) => Promise.reject(new Ended(endingOf(error), caller)));
    if ('lines' in answer) return this.#sendLines(answer.lines, request, reply);
    if ('reason' in answer) this.#spans.ended(raw, answer.reason);
    return send(reply, answer, traceId);
  }

  async #sendLines(
    lines: AsyncIterable<string>,
    { id: traceId }: FastifyRequest,
    reply: FastifyReply,
  ): Promise<FastifyReply> {
    const response = reply.raw;
    reply.hijack();
    response.writeHead(200, {
      'content-type': 'application/x-ndjson',
      'cache-control': 'no-store',
      'x-amzn-requestid': traceId,
      // What a proxy must not keep back until it has more of it.
      'x-accel-buffering': 'no',
    });
    this.#readers.add(response);
    await streamLines(response, lines);
    this.#readers.delete(response);
    return reply;
  }

  /** Cuts the answers off that would go on and on: who reads them must prove anew who they are. */
  cutReaders(): void {
    for (const response of this.#readers) response.destroy();
  }

  async #stream(operation: StreamedOperation, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const { raw, id: traceId } = request;
    const head = headOf(request);
    const { authenticators, throttle } = this.#options;
    const needsBody = authenticators.some((one) => one.needsBody?.(head) === true);
    const body = needsBody ? await this.#signedBodies.read(raw) : undefined;
    const caller = await this.#authenticate({ ...head, body: body ?? Buffer.alloc(0) });
    if (this.#streams.draining) throw new Ended({ reason: 'SHUTTING_DOWN' }, caller);
    if (this.#streams.size >= MAX_STREAMS) {
      const details = `${MAX_STREAMS} batches are under way.`;
      throw new Ended({ reason: 'ACCOUNT_THROTTLED', details, headers: retryAfter(STREAM_RETRY_MS) }, caller);
    }
    reply.hijack();
    const { path, query, headers } = head;
    const labels = request.params as Record<string, string>;
    const trace = this.#spans.traceOf(raw);
    const ending = await this.#streams.answer({
      operation,
      message: raw,
      response: reply.raw,
      body,
      request: {
        ...{ traceId, trace, caller, path, labels, query, headers },
        throttle: () => throttle?.check(caller)?.retryAfterMs ?? 0,
      },
    });
    if (ending !== undefined) this.#spans.ended(raw, ending.reason);
    return reply;
  }

  /** @throws Ended where nobody is proved to have sent it. */
  async #authenticate(request: CallerRequest): Promise<Identity> {
    const verdict = await authenticateCaller(this.#options.authenticators, request);
    if (!verdict.ok) throw new Ended(verdict);
    return verdict.identity;
  }
}
