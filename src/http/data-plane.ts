import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import type { CallerAuthenticator } from '../identity/caller.js';
import type { Identity } from '../identity/identity.js';
import { REASONS } from '../reasons.js';
import type { Events } from '../observing/events.js';
import type { StatusReport } from '../observing/status.js';
import type { Tracing } from '../observing/tracing.js';
import type { CallerThrottle } from '../throttling/caller-throttle.js';
import { clientErrorDetails, CUT_SHORT, guardConnections, REQUEST_TIMEOUT } from './guard-connections.js';
import { addHealthRoutes } from './health.js';
import { HUNG_UP } from './incoming-chunks.js';
import type { Operation } from './operation.js';
import { Operating } from './operating.js';
import { answerAndClose } from './raw-answer.js';
import { Ended, endingOf, render, type Ending } from './rendering.js';
import { send } from './reply.js';
import { RequestSpans } from './request-spans.js';
import { addRoutes, labelFaultOf } from './routes.js';
import { Streams } from './streams.js';
import { DEFAULT_HTTP_TIMEOUTS, type HttpTimeouts } from './timeouts.js';
import { Withdrawals } from './withdrawals.js';
import { createTlsServer, replaceMaterial, type MutualTlsMaterial } from './tls.js';
import { announcedBytes, checkHead, knownQuery, readPeer, splitTarget } from './wire.js';

export interface DataPlaneOptions {
  readonly operations: readonly Operation[];
  /** In order of precedence; at least one. */
  readonly authenticators: readonly CallerAuthenticator[];
  readonly events: Events;
  readonly tracing: Tracing;
  /** Largest body, in bytes. */
  readonly payloadBytes: number;
  readonly timeouts?: Partial<HttpTimeouts>;
  /** Whether messages can be delivered now, for `/readyz`. Default: always. */
  readonly ready?: () => boolean;
  /** Whether policies are in shadow for anybody, for `/readyz` too. Default: never. */
  readonly shadow?: () => boolean;
  /** What `/readyz?verbose` tells more. */
  readonly status?: () => StatusReport;
  /** Rate limits of callers; none where it is not given. */
  readonly throttle?: CallerThrottle;
  /** Speaks HTTPS, and asks for a client certificate. */
  readonly tls?: MutualTlsMaterial;
  /** Adds what else is on this port, before the operations. */
  readonly also?: (app: FastifyInstance) => void;
}

/** How a body is read, in the words of Fastify: by type. */
const WHOLE = 'application/octet-stream';
const STREAMED = 'application/x-ndjson';

/**
 * The HTTP server of the AWS-compatible data-plane API: finds out who calls, hands over to the operation, renders.
 *
 * An operation reports its own outcome. What ends before an operation took it over is reported here, so that every
 * request has exactly one event.
 */
export class DataPlane {
  readonly #options: DataPlaneOptions;
  readonly #app: FastifyInstance;
  readonly #spans: RequestSpans;
  readonly #streams: Streams;
  /** The latest request on a connection, with its answer. */
  readonly #latest = new WeakMap<Duplex, { readonly message: IncomingMessage; readonly response: ServerResponse }>();
  /** Connections that were given their last answer past the ordinary response. */
  readonly #ended = new WeakSet<Duplex>();
  /** Connections whose handshake used the TLS material in force. */
  #fresh = new WeakSet<Duplex>();
  /** Connections on which nothing can be read any more, and whose answer under way is the last. */
  readonly #spoilt = new WeakSet<Duplex>();
  readonly #withdrawals = new Withdrawals();
  readonly #operating: Operating;
  #draining = false;

  /** @throws Error where no authenticator is given: there is no unauthenticated mode. */
  constructor(options: DataPlaneOptions) {
    if (options.authenticators.length === 0) throw new Error('At least one way to authenticate callers is required.');
    this.#options = options;
    this.#spans = new RequestSpans(options.tracing);
    const timeouts = { ...DEFAULT_HTTP_TIMEOUTS, ...options.timeouts };
    this.#streams = new Streams(timeouts.idleMs);
    this.#app = this.#createApp(timeouts);
    this.#addHooks();
    this.#operating = new Operating(options, this.#spans, this.#streams, this.#withdrawals);
    options.also?.(this.#app);
    addRoutes(this.#app, options.operations, (...asked) => this.#operating.answer(...asked));
    addHealthRoutes(this.#app, options);
    const streamed = options.operations.filter((one) => 'stream' in one).map(({ path }) => path);
    guardConnections(
      this.#app.server,
      ({ url = '' }) => (streamed.includes(splitTarget(url).path) ? Infinity : options.payloadBytes),
      this.#endConnection,
    );
    // Before the router, which answers some requests without a hook.
    this.#app.server.prependListener('request', (message: IncomingMessage, response: ServerResponse) => {
      this.#latest.set(message.socket, { message, response });
    });
    this.#app.server.on('secureConnection', (socket: TLSSocket) => this.#fresh.add(socket));
  }

  /** Listens, and answers the port bound (`port: 0` leaves it to the system). Rejects where it cannot listen. */
  async start({ host, port }: { readonly host: string; readonly port: number }): Promise<number> {
    await this.#app.listen({ host, port });
    return (this.#app.server.address() as AddressInfo).port;
  }

  /** Takes no new requests, lets those in flight finish, closes. */
  async stop(): Promise<void> {
    this.#draining = true;
    this.#streams.drain();
    this.#withdrawals.all();
    await this.#app.close();
  }

  /**
   * Puts new TLS material in force. Connections with the old one end: the idle ones now, the others with the answer
   * they are busy with, so that who was revoked is out.
   */
  replaceTls(material: MutualTlsMaterial): void {
    this.#fresh = new WeakSet();
    replaceMaterial(this.#app.server, material);
    this.#app.server.closeIdleConnections();
    this.#streams.stopAll({ reason: 'SHUTTING_DOWN', details: 'The TLS material has changed.' });
    this.#operating.cutReaders();
  }

  #createApp(timeouts: HttpTimeouts): FastifyInstance {
    const { operations, payloadBytes, tls } = this.#options;
    const server = {
      headersTimeout: timeouts.headersMs,
      requestTimeout: timeouts.requestMs,
      keepAliveTimeout: timeouts.keepAliveMs,
      connectionsCheckingInterval: timeouts.checkMs,
      // Checked with the rest of the head: Node would answer in its own way.
      requireHostHeader: false,
    };
    return fastify({
      serverFactory: (handler) =>
        tls === undefined
          ? createServer(server, handler)
          : createTlsServer({ ...server, handshakeTimeout: timeouts.headersMs }, tls, handler),
      bodyLimit: payloadBytes,
      exposeHeadRoutes: false,
      // Requests that come on open connections while draining get this API's own answer: see the hooks.
      return503OnClosing: false,
      routerOptions: {
        // Node limits the whole head; what a label may be is for the operation to say.
        maxParamLength: Number.MAX_SAFE_INTEGER,
        // Queries are read by readQuery, and only once.
        querystringParser: () => ({}),
      },
      genReqId: (raw) => this.#spans.begin(raw).traceId,
      clientErrorHandler: (error, socket) => {
        this.#clientError(error, socket);
      },
      frameworkErrors: (_error, request, reply) => {
        this.#spans.endWith(request.raw, reply.raw, undefined);
        // The router itself refuses one thing: a path whose percent-encoding is broken.
        const reason = labelFaultOf(operations, splitTarget(request.raw.url ?? '').path);
        this.#fail(request, reply, { reason, details: 'The percent-encoding of the path is broken.' });
      },
    });
  }

  #addHooks(): void {
    const app = this.#app;
    app.addHook('onRequest', (request, reply, done) => {
      const { raw, routeOptions } = request;
      const { operation } = routeOptions.config;
      this.#spans.endWith(raw, reply.raw, operation?.path);
      // The body is a payload of any kind, whatever type the caller gives it: the operation says how it is read.
      raw.headers['content-type'] = operation !== undefined && 'stream' in operation ? STREAMED : WHOLE;
      const fault: Ending | undefined = this.#draining ? { reason: 'SHUTTING_DOWN' } : checkHead(raw);
      done(fault && new Ended(fault));
    });
    app.addHook('onSend', (request, reply, _payload, done) => {
      const { socket } = request.raw;
      const stale = socket instanceof TLSSocket && !this.#fresh.has(socket);
      if (this.#draining || stale || this.#spoilt.has(socket)) void reply.header('connection', 'close');
      done();
    });
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(WHOLE, { parseAs: 'buffer' }, (_request, body, done) => {
      done(null, body);
    });
    app.addContentTypeParser(STREAMED, (_request, _body, done) => {
      done(null, undefined);
    });
    app.setErrorHandler((error, request, reply) => {
      this.#fail(request, reply, endingOf(error), error instanceof Ended ? error.caller : undefined);
    });
  }

  /** Reports and answers what ended before an operation took it over, or because of a defect. */
  #fail(request: FastifyRequest, reply: FastifyReply, fault: Ending, caller?: Identity): void {
    const { raw, id: traceId } = request;
    const ending = this.#withSizes(fault, raw);
    if (this.#ended.has(raw.socket)) {
      reply.hijack();
      return;
    }
    this.#report(request, ending, caller ?? readPeer(raw.socket));
    this.#spans.ended(raw, ending.reason);
    // A pipelined request has no connection of its own yet, and must wait for its turn.
    const { operation } = request.routeOptions.config;
    const isUnread = operation !== undefined && 'stream' in operation && !raw.complete;
    if ((ending.reason === 'PAYLOAD_TOO_LARGE' || isUnread) && reply.raw.socket !== null) {
      reply.hijack();
      raw.resume();
      this.#ended.add(raw.socket);
      const rendered = render(ending, traceId);
      this.#spans.ended(raw, ending.reason, rendered.status);
      answerAndClose(raw.socket, rendered);
    } else {
      send(reply, ending, traceId);
    }
  }

  /** Of a body that was not read, how large it is said to be and may be. */
  #withSizes(ending: Ending, message: IncomingMessage): Ending {
    if (ending.reason !== 'PAYLOAD_TOO_LARGE' || ending.details !== undefined) return ending;
    const bytes = announcedBytes(message);
    const size = bytes === undefined ? 'more bytes than' : `${bytes} bytes, over`;
    return { ...ending, details: `The body has ${size} the ${this.#options.payloadBytes} allowed.` };
  }

  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    if (this.#ended.has(socket) || this.#spoilt.has(socket)) return;
    const details = clientErrorDetails(error);
    if (this.#streams.has(socket) && details !== undefined) {
      // A streamed request takes its time, and has an idle limit of its own.
      const ending: Ending = error.code === CUT_SHORT ? HUNG_UP : { reason: 'INVALID_REQUEST', details };
      if (error.code !== REQUEST_TIMEOUT) this.#streams.stop(socket, ending);
      return;
    }
    if (details === undefined) {
      socket.destroy();
      return;
    }
    const ending: Ending = { reason: 'INVALID_REQUEST', details };
    const { message, response } = this.#latest.get(socket) ?? {};
    const { complete = false } = message ?? {};
    const isBehind = error.code === 'HPE_CLOSED_CONNECTION' || (complete && response?.writableFinished === false);
    if (isBehind || (!complete && response?.headersSent === true)) {
      // Garbage behind a request that is being answered: an answer to it would be taken for that request's.
      this.#spoilt.add(socket);
      this.#reportMalformed(this.#spans.malformed(httpStatusOf(ending), ending.reason), ending, socket);
      if (response?.writableFinished === true) socket.end();
    } else {
      this.#endConnection(socket, ending);
    }
  }

  readonly #endConnection = (socket: Duplex, ending: Ending): void => {
    const traceId = this.#spans.malformed(httpStatusOf(ending), ending.reason);
    this.#ended.add(socket);
    this.#reportMalformed(traceId, ending, socket);
    answerAndClose(socket, render(ending, traceId));
  };

  #report({ id: traceId, raw, body, params, routeOptions }: FastifyRequest, ending: Ending, caller: Identity): void {
    const { events } = this.#options;
    const { operation } = routeOptions.config;
    const { reason, details } = ending;
    if (operation === undefined) {
      events.tell('HttpRequest', { traceId, identity: caller, reason, details });
      return;
    }
    const labels = params as Record<string, string>;
    const payloadBytes = body instanceof Buffer ? body.byteLength : announcedBytes(raw);
    operation.refused(events, { traceId, caller, labels, query: knownQuery(raw), payloadBytes, ending });
  }

  /** What was no request, or none that could be read. */
  #reportMalformed(traceId: string, { reason, details }: Ending, socket: Duplex): void {
    this.#options.events.tell('HttpRequest', { traceId, identity: readPeer(socket), reason, details });
  }
}

function httpStatusOf({ reason }: Ending): number {
  return REASONS[reason].http ?? 500;
}
