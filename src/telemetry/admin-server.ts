import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isLoopback } from '../loopback.js';
import { secretEquals } from '../identity/secret-equals.js';
import type { StatementUse } from '../policy/usage.js';
import { streamLines } from '../http/line-stream.js';
import { eventMatcher, readEventQuery, type EventQuery } from '../observing/filter.js';
import type { RecentEvents } from '../observing/recent.js';

export interface AdminServerOptions {
  readonly recent: RecentEvents;
  /** Answers `GET /metrics`; absent where Prometheus is switched off. */
  readonly metrics?: (request: IncomingMessage, response: ServerResponse) => void;
  /** Answers `GET /policy/usage`: how often each statement has decided. */
  readonly usage?: () => readonly StatementUse[];
  /** Answers `GET /status`. */
  readonly status: () => object;
  /** Who shows this token may follow events from anywhere; absent: only from this machine. */
  readonly tailToken?: string;
}

/** Port 9464 of the service: `GET /metrics` for Prometheus, `GET /events` for `tightbeam tail`, `GET /status`, `GET /policy/usage`. */
export interface AdminServer {
  /** Listens, and answers the port bound. Rejects where it cannot listen. */
  start(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Ends the followers and closes. */
  stop(): Promise<void>;
}

export function createAdminServer(options: AdminServerOptions): AdminServer {
  const server = createServer((request, response) => {
    const [path = '', query] = (request.url ?? '').split('?', 2);
    const handler = handlers[path];
    if (handler === undefined) refuse(response, 404, 'There is /metrics, /events, /status and /policy/usage.');
    else if (request.method !== 'GET') refuse(response, 405, 'Use GET.', { allow: 'GET' });
    else handler(request, response, new URLSearchParams(query));
  });
  const { metrics, tailToken, recent } = options;
  const mayFollow = tailToken === undefined ? fromThisMachine : showsToken(tailToken);

  function events(request: IncomingMessage, response: ServerResponse, query: URLSearchParams): void {
    if (!mayFollow(request)) {
      refuse(response, 403, 'Events are open to this machine only, or to the bearer of the token that is configured.');
      return;
    }
    let asked: EventQuery;
    try {
      asked = readEventQuery(new Map([...query.keys()].map((name) => [name, query.getAll(name)])), Date.now());
    } catch (error) {
      refuse(response, 400, String(error instanceof Error ? error.message : error));
      return;
    }
    const gone = new AbortController();
    response.on('close', () => {
      gone.abort();
    });
    const { filter, follow, ...past } = asked;
    const lines = recent.read(eventMatcher(filter), { past, follow, signal: gone.signal });
    if (lines === undefined) {
      refuse(response, 503, 'Too many follow already.');
      return;
    }
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    void streamLines(response, lines);
  }

  const ofThisMachine =
    (answer: () => unknown): Handler =>
    (request, response) => {
      if (!mayFollow(request)) {
        refuse(response, 403, 'This is open to this machine only, or to the bearer of the token that is configured.');
        return;
      }
      const body = JSON.stringify(answer());
      response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(`${body}\n`);
    };

  const handlers: Readonly<Partial<Record<string, Handler>>> = {
    '/events': events,
    '/policy/usage': ofThisMachine(() => options.usage?.() ?? []),
    '/status': ofThisMachine(options.status),
    ...(metrics && { '/metrics': metrics }),
  };

  return {
    start: ({ host, port }) => listen(server, host, port),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

type Handler = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void;

function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

function refuse(response: ServerResponse, status: number, text: string, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'text/plain', ...headers }).end(`${text}\n`);
}

/**
 * A peer on this machine, that names this machine: a web page whose host name was made to resolve to 127.0.0.1 (DNS
 * rebinding) comes from here too, but with its own name in Host.
 */
function fromThisMachine(request: IncomingMessage): boolean {
  const { remoteAddress = '' } = request.socket;
  const peer = remoteAddress.replace(/^::ffff:/, '');
  const host = (request.headers.host ?? '').replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const named = host === 'localhost' || isLoopback(host);
  return isLoopback(peer) && named && request.headers.origin === undefined;
}

/** Compares digests, which have one length: comparing takes the same time whatever is shown. */
function showsToken(token: string): (request: IncomingMessage) => boolean {
  return ({ headers }) => secretEquals(`Bearer ${token}`, headers.authorization ?? '');
}
