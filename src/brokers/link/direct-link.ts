import { performance } from 'node:perf_hooks';
import { DELIVERY_MARGIN_MS, type ConnectionWait, type Delivery, type DirectDelivery } from '../../direct/delivery.js';
import type { DirectMessage } from '../../direct/message.js';
import { CONNECTED_TOPIC, formatDirectTopic } from '../../direct/topic.js';
import { PubackCode, type Reason } from '../../reasons.js';
import type { Answer, Outgoing } from './answer.js';
import type { BrokerConnection } from './broker-connection.js';
import { ConnectionPool, type Access, type BrokerConnectionEvent } from './connection-pool.js';
import { DeliveryProbe } from './delivery-probe.js';
import { OVERDUE_GRACE_MS } from './pending.js';
import { directProperties, waitProperties, withdrawProperties } from './properties.js';
import { deliveryOfPuback } from './puback.js';
import type { Purpose } from './purpose.js';
import type { ConnectionState } from './purpose.js';

export interface DirectLinkOptions extends Access {
  /** Opened at the start. */
  readonly connections: number;
  /** Opened at the most, when all windows are full. */
  readonly maxConnections: number;
  readonly onConnection: (event: BrokerConnectionEvent) => void;
}

/** Longest wait for a place in a window. Together with the grace it is the margin of a delivery. */
const PLACE_WAIT_MS = 1_000;
/** Longest wait for the first connection that waits for clients. */
const READY_WAIT_MS = 5_000;

/**
 * Direct delivery over MQTT 5: PUBLISH on `$dm/{clientId}/{topic}`, answered by a PUBACK. For every broker that has the
 * delivery primitive.
 *
 * Requests, which are under way for up to a minute, have connections of their own, or they would take the places of messages.
 *
 * A message waits for a place in a window for a second at the longest: ACCOUNT_THROTTLED. Where no connection is ready, the
 * answer comes at once.
 */
export class DirectLink implements DirectDelivery {
  readonly #options: DirectLinkOptions;
  readonly #pool: ConnectionPool;
  #requests: ConnectionPool | undefined;
  #waits: ConnectionPool | undefined;

  constructor(options: DirectLinkOptions) {
    this.#options = options;
    this.#pool = new ConnectionPool({ ...options, purpose: () => this.#purpose() });
  }

  #purpose(): Purpose {
    return new DeliveryProbe(this.#options.username);
  }

  /** True while at least one connection can deliver. */
  get ready(): boolean {
    return this.#pool.ready;
  }

  /** Messages sent and not yet answered. */
  get inFlight(): number {
    return this.#pool.inFlight + (this.#requests?.inFlight ?? 0);
  }

  get connections(): readonly { readonly clientId: string; readonly state: ConnectionState }[] {
    return this.#pool.connections;
  }

  /** Settles as soon as at least one connection can deliver. */
  whenReady(signal?: AbortSignal): Promise<void> {
    return this.#pool.whenReady(signal);
  }

  async deliver(message: DirectMessage): Promise<Delivery> {
    const start = performance.now();
    const wait = Math.min(message.timeoutMs, PLACE_WAIT_MS);
    const delivery = await this.#poolOf(message).withPlace(start + wait, (connection) =>
      send(connection, message, start),
    );
    if (delivery === 'full') return unsent('ACCOUNT_THROTTLED');
    if (delivery !== 'notReady') return delivery;
    return unsent(this.#pool.some('pluginMissing') ? 'DELIVERY_PLUGIN_MISSING' : 'BROKER_UNAVAILABLE');
  }

  /** The connections of requests are opened with the first, which goes with the others. */
  #poolOf({ isRequest }: DirectMessage): ConnectionPool {
    if (isRequest !== true) return this.#pool;
    this.#requests ??= new ConnectionPool({ ...this.#options, purpose: () => this.#purpose() });
    return this.#requests.ready ? this.#requests : this.#pool;
  }

  /** On connections of its own, which are opened when first needed: waits are long, and must not hold up messages. */
  async connected(wait: ConnectionWait, signal?: AbortSignal): Promise<'connected' | Delivery> {
    this.#waits ??= new ConnectionPool({ ...this.#options, connections: 1, purpose: () => this.#purpose() });
    const start = performance.now();
    if (!this.#waits.ready) {
      await this.#waits.whenReady(AbortSignal.timeout(Math.min(wait.waitMs, READY_WAIT_MS))).catch(() => undefined);
    }
    const answer = await this.#waits.withPlace(start + Math.min(wait.waitMs, PLACE_WAIT_MS), (connection) =>
      ask(connection, wait, signal),
    );
    if (answer === 'full') return unsent('ACCOUNT_THROTTLED');
    if (typeof answer !== 'object') return unsent('BROKER_UNAVAILABLE');
    if (answer.told?.connected === true) return 'connected';
    const sent = { confirmation: true, isRequest: false, timeoutMs: wait.waitMs, elapsedMs: performance.now() - start };
    const delivery = deliveryOfPuback(answer, sent);
    // A broker whose plugin does not know the wait takes it for a topic that is reserved.
    return delivery.reason === 'RESERVED_TOPIC' ? unsent('NOT_SUPPORTED') : delivery;
  }

  /** Closes every connection. Drain first: what is in flight is answered BROKER_UNAVAILABLE. */
  async close(): Promise<void> {
    await Promise.all([this.#pool.close(), this.#requests?.close(), this.#waits?.close()]);
  }
}

/** Asks for a client. When nobody wants to know any more, the broker is told, and answers: its place is free again. */
async function ask(connection: BrokerConnection, wait: ConnectionWait, signal?: AbortSignal): Promise<Answer> {
  if (signal?.aborted === true) return 'unsent';
  const publish = (outgoing: Pick<Outgoing, 'qos' | 'properties' | 'sent' | 'timeoutMs'>): Promise<Answer> =>
    connection.publish({
      topic: formatDirectTopic({ targetClientId: wait.targetClientId, topic: CONNECTED_TOPIC }),
      payload: new Uint8Array(),
      retain: false,
      ...outgoing,
    });
  let withdraw: (() => void) | undefined;
  const answer = await publish({
    qos: 1,
    properties: waitProperties(wait),
    timeoutMs: wait.waitMs + DELIVERY_MARGIN_MS - OVERDUE_GRACE_MS,
    sent: (packetId) => {
      withdraw = () => {
        void publish({ qos: 0, properties: withdrawProperties(packetId), timeoutMs: DELIVERY_MARGIN_MS });
      };
      signal?.addEventListener('abort', withdraw);
    },
  });
  if (withdraw !== undefined) signal?.removeEventListener('abort', withdraw);
  return answer;
}

async function send(connection: BrokerConnection, message: DirectMessage, start: number): Promise<Delivery> {
  const { confirmation, timeoutMs, isRequest = false } = message;
  const sentAt = performance.now();
  const answer = await connection.publish({
    topic: formatDirectTopic(message),
    payload: message.payload,
    qos: 1,
    retain: false,
    properties: directProperties(message),
    // The device has its whole timeout; the broker gets the margin for what comes before, less the grace.
    timeoutMs: start + timeoutMs + DELIVERY_MARGIN_MS - OVERDUE_GRACE_MS - sentAt,
  });
  switch (answer) {
    case 'unsent':
      return unsent('BROKER_UNAVAILABLE');
    case 'lost':
      return { reason: 'BROKER_UNAVAILABLE', written: 'unknown' };
    case 'overdue':
      return { reason: 'PUBACK_TIMEOUT', written: 'unknown' };
    case 'tooLarge':
      return unsent('PAYLOAD_TOO_LARGE');
  }
  if (answer.code === PubackCode.NoMatchingSubscribers) {
    connection.doubt('pluginMissing', 'the broker routed a direct message as an ordinary topic');
  }
  return deliveryOfPuback(answer, { confirmation, isRequest, timeoutMs, elapsedMs: performance.now() - sentAt });
}

function unsent(reason: Reason): Delivery {
  return { reason, written: 'no' };
}
