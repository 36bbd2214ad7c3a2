import { performance } from 'node:perf_hooks';
import type { DirectDelivery } from '../../direct/delivery.js';
import type { DirectMessage } from '../../direct/message.js';
import { formatDirectTopic } from '../../direct/topic.js';
import { PubackCode, type Reason } from '../../reasons.js';
import type { BrokerConnection, ConnectionState } from './broker-connection.js';
import { ConnectionPool, type Access, type BrokerConnectionEvent } from './connection-pool.js';
import { DeliveryProbe } from './delivery-probe.js';
import { directProperties } from './properties.js';
import { reasonOfPuback } from './puback.js';

export interface DirectLinkOptions extends Access {
  /** Opened at the start. */
  readonly connections: number;
  /** Opened at the most, when all windows are full. */
  readonly maxConnections: number;
  readonly onConnection: (event: BrokerConnectionEvent) => void;
}

/**
 * Direct delivery over MQTT 5: PUBLISH on `$dm/{clientId}/{topic}`, answered by a PUBACK. For every broker that has the
 * delivery primitive.
 *
 * A message waits for a place in a window until its own timeout at the longest: ACCOUNT_THROTTLED. Where no connection is
 * ready, the answer comes at once.
 */
export class DirectLink implements DirectDelivery {
  readonly #pool: ConnectionPool;

  constructor(options: DirectLinkOptions) {
    this.#pool = new ConnectionPool({ ...options, purpose: () => new DeliveryProbe(options.username) });
  }

  /** True while at least one connection can deliver. */
  get ready(): boolean {
    return this.#pool.ready;
  }

  /** Messages sent and not yet answered. */
  get inFlight(): number {
    return this.#pool.inFlight;
  }

  get connections(): readonly { readonly clientId: string; readonly state: ConnectionState }[] {
    return this.#pool.connections;
  }

  /** Settles as soon as at least one connection can deliver. */
  whenReady(signal?: AbortSignal): Promise<void> {
    return this.#pool.whenReady(signal);
  }

  async deliver(message: DirectMessage): Promise<Reason> {
    const deadline = performance.now() + message.timeoutMs;
    const reason = await this.#pool.withPlace(deadline, (connection) => send(connection, message, deadline));
    if (reason === 'full') return 'ACCOUNT_THROTTLED';
    if (reason !== 'notReady') return reason;
    return this.#pool.some('pluginMissing') ? 'DELIVERY_PLUGIN_MISSING' : 'BROKER_UNAVAILABLE';
  }

  /** Closes every connection. Drain first: what is in flight is answered BROKER_UNAVAILABLE. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}

async function send(connection: BrokerConnection, message: DirectMessage, deadline: number): Promise<Reason> {
  const sentAt = performance.now();
  const timeoutMs = Math.max(1, Math.ceil(deadline - sentAt));
  const answer = await connection.publish({
    topic: formatDirectTopic(message),
    payload: message.payload,
    qos: 1,
    retain: false,
    properties: directProperties(message, timeoutMs),
    timeoutMs,
  });
  switch (answer) {
    case 'lost':
      return 'BROKER_UNAVAILABLE';
    case 'overdue':
      return 'PUBACK_TIMEOUT';
    case 'tooLarge':
      return 'PAYLOAD_TOO_LARGE';
    case PubackCode.NoMatchingSubscribers:
      connection.doubt('pluginMissing', 'the broker routed a direct message as an ordinary topic');
  }
  const elapsedMs = performance.now() - sentAt;
  return reasonOfPuback(answer, { confirmation: message.confirmation, timeoutMs, elapsedMs });
}
