import { EventEmitter, once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { BrokerConnection, type ConnectionOptions } from './broker-connection.js';
import type { ConnectionState, Purpose } from './purpose.js';

/** Where and as whom to connect. */
export type Access = Pick<ConnectionOptions, 'username' | 'password' | 'tls'> & { readonly urls: readonly string[] };

export interface PoolOptions extends Access {
  /** Opened at the start. */
  readonly connections: number;
  /** Opened at the most, when all windows are full. */
  readonly maxConnections: number;
  /** Of one connection. */
  readonly purpose: () => Purpose;
  readonly onConnection?: (event: BrokerConnectionEvent) => void;
}

export interface BrokerConnectionEvent {
  readonly clientId: string;
  readonly url: string;
  readonly state: ConnectionState;
  readonly details: string;
}

/** Why nothing can be sent: no connection is ready, or no place became free in time. */
export type NoPlace = 'notReady' | 'full';

/** Messages that may wait for a place in a window; more are refused at once. */
const MAX_WAITING = 4_096;

/**
 * Connections of one purpose. Messages of one turn of the event loop go together, to the ready connection with the fewest
 * in flight. Where every window is full, one more connection is opened (up to the maximum), and the message waits.
 *
 * A connection whose broker owes an answer is spared, and another one opened in its place at once; it is used all the same
 * where there is no other, and like any other again as soon as the broker has answered. Where the answer never comes it
 * leaves, and its Packet Identifiers with it.
 */
export class ConnectionPool {
  readonly #connections = new Set<BrokerConnection>();
  readonly #waiting = new Set<() => void>();
  readonly #changes = new EventEmitter();
  #opened = 0;
  #closed = false;

  constructor(private readonly options: PoolOptions) {
    for (let index = 0; index < options.connections; index += 1) this.#open();
  }

  /** True while at least one connection is ready. */
  get ready(): boolean {
    return this.some('ready');
  }

  /** Whether one connection is in this state. */
  some(wanted: ConnectionState): boolean {
    for (const { state } of this.#connections) if (state === wanted) return true;
    return false;
  }

  /** Messages sent that somebody waits for. */
  get inFlight(): number {
    let sum = 0;
    for (const { inFlight } of this.#connections) sum += inFlight;
    return sum;
  }

  get connections(): readonly { readonly clientId: string; readonly state: ConnectionState }[] {
    return [...this.#connections];
  }

  /** Settles as soon as at least one connection is ready. */
  async whenReady(signal?: AbortSignal): Promise<void> {
    while (!this.ready) await once(this.#changes, 'state', signal ? { signal } : {});
  }

  /**
   * Calls `send` with a connection that has a place, at the latest at `deadline` by the monotonic clock. In the turn in
   * which it was picked, or two messages could take one place.
   */
  async withPlace<T>(deadline: number, send: (connection: BrokerConnection) => Promise<T>): Promise<T | NoPlace> {
    for (;;) {
      const connection = this.#pick();
      if (connection !== undefined) return send(connection);
      if (!this.ready) return 'notReady';
      const remainingMs = deadline - performance.now();
      if (remainingMs <= 0 || this.#waiting.size >= MAX_WAITING) return 'full';
      this.#grow();
      await this.#place(remainingMs);
    }
  }

  /** Closes every connection. Drain first: what is in flight is answered `lost`. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(Array.from(this.#connections, (connection) => connection.close()));
    this.#wakeAll();
  }

  #open(): void {
    const url = this.options.urls[this.#opened++ % this.options.urls.length] as string;
    const connection: BrokerConnection = new BrokerConnection({
      ...this.options,
      url,
      purpose: this.options.purpose(),
      onState: (state, details) => {
        // Those who wait for a place must not wait for a broker that is gone, and share a connection that is new.
        if (state === 'ready' || !this.ready) this.#wakeAll();
        this.options.onConnection?.({ clientId: connection.clientId, url, state, details });
        this.#changes.emit('state');
      },
      onFree: () => {
        this.#wakeOne();
      },
      onOwing: () => {
        this.#replace(connection);
      },
      onLeft: () => {
        this.#connections.delete(connection);
      },
    });
    this.#connections.add(connection);
  }

  #pick(): BrokerConnection | undefined {
    let best: BrokerConnection | undefined;
    for (const connection of this.#connections) {
      if (connection.free === 0) continue;
      if (best !== undefined && connection.owing) continue;
      // One system call for all that goes out in this turn of the event loop, and one waking of the broker.
      if (connection.gathering && !connection.owing) return connection;
      if (best === undefined || best.owing || connection.inFlight < best.inFlight) best = connection;
    }
    return best;
  }

  /** One more connection, unless one is on its way already. */
  #grow(): void {
    if (this.#count(() => true) < this.options.maxConnections && this.#count(({ state }) => state !== 'ready') === 0) {
      this.#open();
    }
  }

  /** One begins or ceases to owe an answer. As many stand by as were opened at the start, and no more than the maximum. */
  #replace(changed: BrokerConnection): void {
    if (this.#closed) return;
    const sound = this.#count(({ owing }) => !owing);
    if (sound > this.options.maxConnections) changed.leave('others have taken its place');
    else if (sound < this.options.connections && this.#connections.size < 2 * this.options.maxConnections) this.#open();
  }

  #count(which: (connection: BrokerConnection) => boolean): number {
    let count = 0;
    for (const connection of this.#connections) if (which(connection)) count += 1;
    return count;
  }

  #place(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, timeoutMs);
      this.#waiting.add(wake);
    });
  }

  #wakeOne(): void {
    const [first] = this.#waiting;
    first?.();
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
