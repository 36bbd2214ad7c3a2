import { SignatureV4 } from '@smithy/signature-v4';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import { Sha256 } from '../../src/identity/sigv4/sha256.js';
import { ACCESS_KEY } from './setting.js';

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** A SendDirectMessage with confirmation, or with a response topic a request, signed by AWS's own signer: the bytes for the wire. */
export async function signedRequest(
  port: number,
  message: { clientId: string; topic: string; payload: string; timeout?: number; responseTopic?: string },
): Promise<Buffer> {
  const { clientId, topic, payload, timeout, responseTopic } = message;
  const path = `/connections/${encodeURIComponent(clientId)}/${responseTopic === undefined ? 'messages' : 'requests'}`;
  const query = {
    topic,
    ...(responseTopic === undefined ? { confirmation: 'true' } : { responseTopic }),
    ...(timeout === undefined ? {} : { timeout: String(timeout) }),
  };
  const headers = await signHeaders(port, { path, query, body: payload });
  const target = `${path}?${Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&')}`;
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`POST ${target} HTTP/1.1\r\n${lines.join('')}\r\n${payload}`);
}

/** The headers of a POST, its length and signature among them. */
export async function signHeaders(
  port: number,
  {
    path,
    query,
    body,
  }: { readonly path: string; readonly query: Record<string, string>; readonly body: string | Uint8Array },
): Promise<Record<string, string>> {
  const signer = new SignatureV4({ credentials: ACCESS_KEY, region: 'us-east-1', service: 'iotdata', sha256: Sha256 });
  const { headers } = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    path,
    query,
    headers: {
      host: `127.0.0.1:${port}`,
      'content-type': 'application/octet-stream',
      'content-length': String(Buffer.byteLength(body)),
    },
    body,
  });
  return headers;
}

/** One kept-alive connection that has one request at a time, with as little of its own as can be. */
export class HttpConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #answered: ((status: number) => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#socket.on('error', () => undefined);
    this.#socket.on('data', (chunk) => {
      this.#receive(chunk);
    });
    this.#socket.once('close', () => this.#answered?.(NaN));
  }

  static async open(port: number, tls?: ConnectionOptions): Promise<HttpConnection> {
    const to = { port, host: '127.0.0.1', noDelay: true };
    const connection = new HttpConnection(tls === undefined ? connect(to) : connectTls({ ...to, ...tls }));
    await once(connection.#socket, tls === undefined ? 'connect' : 'secureConnect');
    return connection;
  }

  /** Sends a request and gives the status of its answer, once that is there to its end; NaN where none came. */
  request(bytes: Buffer): Promise<number> {
    return new Promise((resolve) => {
      this.#answered = resolve;
      this.#socket.write(bytes);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const head = this.#received.indexOf(END_OF_HEAD);
    if (head < 0) return;
    const text = this.#received.toString('latin1', 0, head);
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(text)?.[1]);
    if (this.#received.length < head + END_OF_HEAD.length + length) return;
    this.#received = Buffer.alloc(0);
    this.#answered?.(Number(text.slice(9, 12)));
  }
}

/** As many kept-alive connections as there are senders. */
export class HttpConnections {
  #connections: readonly HttpConnection[] = [];

  /** To the ports by turns. Anew each time: the server closes connections that are idle. */
  async open(count: number, ports: readonly number[], tls?: ConnectionOptions): Promise<void> {
    this.close();
    const portOf = (slot: number): number => ports[slot % ports.length] as number;
    this.#connections = await Promise.all(
      Array.from({ length: count }, (_, slot) => HttpConnection.open(portOf(slot), tls)),
    );
  }

  /** Resolves with the status of the answer. */
  request(slot: number, bytes: Buffer): Promise<number> {
    const connection = this.#connections[slot];
    if (connection === undefined) throw new Error(`There is no connection ${slot}.`);
    return connection.request(bytes);
  }

  close(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections = [];
  }
}
