import { EventEmitter, once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Endpoints } from '../../../src/brokers/door/endpoints.js';
import { Listener, type ListenerOptions } from '../../../src/brokers/door/listeners/listener.js';
import { networks } from '../../../src/networks.js';

interface Accepted {
  readonly stream: Duplex;
  readonly endpoints: Endpoints;
}

/** A PROXY protocol header, and who sends one. */
export const PROXY = 'PROXY TCP4 192.0.2.1 198.51.100.1 55555 1883\r\n';
export const LOCAL = networks(['127.0.0.0/8']);

/** A listener, and what it hands on. */
export class ListenerRig {
  accepted: Accepted[] = [];
  readonly logged: unknown[][] = [];
  port = 0;
  #listener: Listener | undefined;
  readonly #arrivals = new EventEmitter();
  readonly #ends: (() => unknown)[] = [];

  async start(options: Partial<ListenerOptions> = {}): Promise<Listener> {
    this.#listener = new Listener({
      diagnostics: (...entry) => void this.logged.push(entry),
      timeoutMs: 60_000,
      accept: (stream, endpoints) => {
        stream.on('error', () => undefined);
        this.#ends.push(() => stream.destroy());
        this.accepted.push({ stream, endpoints });
        this.#arrivals.emit('one');
      },
      ...options,
    });
    this.port = await this.#listener.listen('127.0.0.1', 0);
    return this.#listener;
  }

  /** Ends it with the rig. */
  own<Client extends { on(event: 'error', listener: () => void): unknown }>(
    client: Client,
    end: () => unknown,
  ): Client {
    client.on('error', () => undefined);
    this.#ends.push(end);
    return client;
  }

  dial(): Socket {
    const socket = connect(this.port, '127.0.0.1');
    return this.own(socket, () => socket.destroy());
  }

  /** The next stream that the listener hands on. */
  async next(): Promise<Accepted> {
    while (this.accepted.length === 0) await once(this.#arrivals, 'one');
    return this.accepted.shift() as Accepted;
  }

  async stop(): Promise<void> {
    for (const end of this.#ends) end();
    await this.#listener?.close();
  }
}

/** Reads until there are so many bytes. */
export async function read(stream: Duplex, bytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  for (let size = 0; size < bytes;) {
    const [chunk] = (await once(stream, 'data')) as [Buffer];
    chunks.push(chunk);
    size += chunk.length;
  }
  return Buffer.concat(chunks).toString();
}

/** What a peer says till it closes. */
export async function all(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk) => (text += String(chunk)));
  await once(socket, 'close');
  return text;
}
