import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Awaited } from './capture.js';

/** A span as OTLP/JSON has it, attributes flattened. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly { readonly name: string }[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status: { readonly code?: number };
  readonly resource: Readonly<Record<string, unknown>>;
}

interface KeyValue {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}
interface RawSpan extends Omit<ReceivedSpan, 'attributes' | 'events' | 'links' | 'resource'> {
  readonly attributes?: readonly KeyValue[];
  readonly events?: ReceivedSpan['events'];
  readonly links?: ReceivedSpan['links'];
}
interface ExportRequest {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly KeyValue[] };
    readonly scopeSpans: readonly { readonly spans: readonly RawSpan[] }[];
  }[];
}

export interface ReceivedExport {
  readonly path: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** An OTLP/HTTP receiver: takes what is exported and keeps it. */
export class OtlpReceiver {
  readonly exports: ReceivedExport[] = [];
  readonly #awaited = new Awaited<ReceivedSpan>();
  readonly #server: Server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url: path = '', headers } = request;
      const received = { path, contentType: headers['content-type'] ?? '', body: Buffer.concat(chunks) };
      this.exports.push(received);
      for (const span of spansOf(received)) this.#awaited.offer(span);
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  /** Answers the endpoint, for OTEL_EXPORTER_OTLP_ENDPOINT. */
  async start(): Promise<string> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  /** Spans received as OTLP/JSON, in the order of their arrival. */
  get spans(): ReceivedSpan[] {
    return this.exports.flatMap(spansOf);
  }

  /** The first span, received or to come, that matches. */
  next(matches: (span: ReceivedSpan) => boolean): Promise<ReceivedSpan> {
    return this.#awaited.next(this.spans, matches);
  }
}

function spansOf({ path, contentType, body }: ReceivedExport): ReceivedSpan[] {
  if (path !== '/v1/traces' || !contentType.startsWith('application/json')) return [];
  const { resourceSpans } = JSON.parse(body.toString()) as ExportRequest;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map((span) => ({
        ...span,
        attributes: flat(span.attributes ?? []),
        events: span.events ?? [],
        links: span.links ?? [],
        resource: flat(resource.attributes),
      })),
    ),
  );
}

function flat(attributes: readonly KeyValue[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
