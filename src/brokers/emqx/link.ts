import { EventEmitter, once } from 'node:events';
import { performance } from 'node:perf_hooks';
import type { DirectDelivery } from '../../direct/delivery.js';
import type { DirectMessage } from '../../direct/message.js';
import { formatDirectTopic } from '../../direct/topic.js';
import type { Reason } from '../../reasons.js';
import { type Answer, BrokerConnection, type ConnectionOptions, type ConnectionState } from './connection.js';
import { toPublishProperties } from './properties.js';
import { reasonOfPuback } from './puback.js';

export interface LinkOptions extends Omit<ConnectionOptions, 'url' | 'onState' | 'onFree'> {
  readonly urls: readonly string[];
  /** Opened at the start. */
  readonly connections: number;
  /** Opened at the most, when all windows are full. */
  readonly maxConnections: number;
  readonly onConnection: (event: BrokerConnectionEvent) => void;
}

export interface BrokerConnectionEvent {
  readonly clientId: string;
  readonly url: string;
  readonly state: ConnectionState;
  readonly details: string;
}

/** How long after the deadline the broker's own answer is waited for before the sender is told anyway. */
const OVERDUE_GRACE_MS = 1_000;
/** Messages that may wait for a place in a window; more are refused at once. */
const MAX_WAITING = 4_096;

/**
 * The service's connections to the broker, as the port of direct delivery.
 *
 * Messages of one turn of the event loop go together, to the ready connection with the fewest in flight. Where every
 * window is full, one more connection is opened (up to the maximum) and the message waits, at the longest until its own
 * timeout: ACCOUNT_THROTTLED. Where no connection is ready, the answer comes at once.
 */
export class BrokerLink implements DirectDelivery {
  readonly #connections: BrokerConnection[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #changes = new EventEmitter();

  constructor(private readonly options: LinkOptions) {
    for (let index = 0; index < options.connections; index += 1) this.#open();
  }

  /** True while at least one connection can deliver. */
  get ready(): boolean {
    return this.#connections.some(({ state }) => state === 'ready');
  }

  /** Messages sent and not yet answered. */
  get inFlight(): number {
    return this.#connections.reduce((sum, { inFlight }) => sum + inFlight, 0);
  }

  get connections(): readonly { readonly clientId: string; readonly state: ConnectionState }[] {
    return this.#connections;
  }

  /** Settles as soon as at least one connection can deliver. */
  async whenReady(signal?: AbortSignal): Promise<void> {
    while (!this.ready) await once(this.#changes, 'state', signal ? { signal } : {});
  }

  async deliver(message: DirectMessage): Promise<Reason> {
    const start = performance.now();
    // Picked and published to in one turn of the event loop, or two messages could take one place.
    let connection = this.#pick();
    while (!connection) {
      const refusal = await this.#turn(start + message.timeoutMs);
      if (refusal) return refusal;
      connection = this.#pick();
    }

    const timeoutMs = Math.max(1, Math.ceil(message.timeoutMs - (performance.now() - start)));
    const sentAt = performance.now();
    const published = connection.publish(
      formatDirectTopic(message),
      message.payload,
      toPublishProperties(message, timeoutMs),
    );
    const answer = await withinGrace(published, timeoutMs);
    if (answer === 'lost') return 'BROKER_UNAVAILABLE';
    if (answer === 'overdue') {
      connection.retire();
      return 'PUBACK_TIMEOUT';
    }
    const elapsedMs = performance.now() - sentAt;
    return reasonOfPuback(answer, { confirmation: message.confirmation, timeoutMs, elapsedMs });
  }

  /** Closes every connection. Drain first: what is in flight is answered BROKER_UNAVAILABLE. */
  async close(): Promise<void> {
    await Promise.all(this.#connections.map((connection) => connection.close()));
    this.#wakeAll();
  }

  #open(): void {
    const url = this.options.urls[this.#connections.length % this.options.urls.length] as string;
    const connection: BrokerConnection = new BrokerConnection({
      ...this.options,
      url,
      onState: (state, details) => {
        // Those who wait for a place must not wait for a broker that is gone, and share a connection that is new.
        if (state === 'ready' || !this.ready) this.#wakeAll();
        this.options.onConnection({ clientId: connection.clientId, url, state, details });
        this.#changes.emit('state');
      },
      onFree: () => {
        this.#wakeOne();
      },
    });
    this.#connections.push(connection);
  }

  #pick(): BrokerConnection | undefined {
    let best: BrokerConnection | undefined;
    for (const connection of this.#connections) {
      if (connection.free === 0) continue;
      // One system call for all that goes out in this turn of the event loop, and one waking of the broker.
      if (connection.gathering) return connection;
      if (!best || connection.inFlight < best.inFlight) best = connection;
    }
    return best;
  }

  /** Settles when a place may have become free; with a reason where there is none to wait for. */
  async #turn(deadline: number): Promise<Reason | undefined> {
    if (!this.ready) return this.#whyNotReady();
    const remainingMs = deadline - performance.now();
    if (remainingMs <= 0 || this.#waiting.size >= MAX_WAITING) return 'ACCOUNT_THROTTLED';
    this.#grow();
    await this.#place(remainingMs);
    return undefined;
  }

  /** One more connection, unless one is on its way already. */
  #grow(): void {
    if (this.#connections.length >= this.options.maxConnections) return;
    if (this.#connections.every(({ state }) => state === 'ready')) this.#open();
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

  #whyNotReady(): Reason {
    const missing = this.#connections.some(({ state }) => state === 'pluginMissing');
    return missing ? 'DELIVERY_PLUGIN_MISSING' : 'BROKER_UNAVAILABLE';
  }
}

/**
 * The grace begins when the deadline is noticed. A process that stood still past both would otherwise find the answer
 * overdue before it reads it from the socket.
 */
function withinGrace(answer: Promise<Answer>, timeoutMs: number): Promise<Answer | 'overdue'> {
  return new Promise((resolve) => {
    let timer = setTimeout(() => {
      timer = setTimeout(resolve, OVERDUE_GRACE_MS, 'overdue');
    }, timeoutMs);
    void answer.then((value) => {
      clearTimeout(timer);
      resolve(value);
    });
  });
}
