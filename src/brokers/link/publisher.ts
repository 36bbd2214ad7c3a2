import { performance } from 'node:perf_hooks';
import { BrokerFault, type BrokerMessage, type Publisher } from '../../operations/broker.js';
import type { Answer } from './answer.js';
import { ConnectionPool, type Access, type NoPlace } from './connection-pool.js';
import { ordinaryProperties } from './properties.js';
import type { Purpose } from './purpose.js';

export interface MqttPublisherOptions extends Access {
  /** How long a PUBACK may take, in milliseconds; a place in a window as long before. */
  readonly timeoutMs?: number;
}

/** Whoever is connected can publish. */
const PUBLISHING: Purpose = {
  clientIdPrefix: 'tightbeam-publish',
  examine: () => Promise.resolve({ state: 'ready', details: 'connected' }),
};

/** A PUBACK with one of these is a failure (MQTT 5, section 3.4.2.1). */
const FIRST_FAILURE = 0x80;

/**
 * Ordinary publishing over MQTT 5, on connections of its own, one for each address, so that a flood of ordinary messages
 * cannot fill the window of the direct ones. The hook provider lets the service's user publish: its callers were
 * authorized before.
 */
export class MqttPublisher implements Publisher {
  readonly #pool: ConnectionPool;
  readonly #timeoutMs: number;

  constructor({ timeoutMs = 5_000, ...access }: MqttPublisherOptions) {
    this.#timeoutMs = timeoutMs;
    const connections = access.urls.length;
    this.#pool = new ConnectionPool({
      ...access,
      connections,
      maxConnections: connections,
      purpose: () => PUBLISHING,
    });
  }

  /** Settles as soon as a connection is up. */
  whenReady(): Promise<void> {
    return this.#pool.whenReady();
  }

  async publish(message: BrokerMessage): Promise<void> {
    const { topic, payload, qos, retain } = message;
    const timeoutMs = this.#timeoutMs;
    const properties = ordinaryProperties(message);
    const answer = await this.#pool.withPlace(performance.now() + timeoutMs, (connection) =>
      connection.publish({ topic, payload, qos, retain, properties, timeoutMs }),
    );
    if (typeof answer === 'object' && answer.code < FIRST_FAILURE) return;
    throw faultOf(answer, timeoutMs);
  }

  /** Leaves in peace. Drain first: what has no PUBACK yet is answered BROKER_UNAVAILABLE, and not sent again. */
  close(): Promise<void> {
    return this.#pool.close();
  }
}

function faultOf(answer: Answer | NoPlace, timeoutMs: number): BrokerFault {
  switch (answer) {
    case 'tooLarge':
      return new BrokerFault('PAYLOAD_TOO_LARGE', 'The PUBLISH is larger than the Maximum Packet Size of the broker.');
    case 'notReady':
    case 'unsent':
      return new BrokerFault('BROKER_UNAVAILABLE', 'No connection to publish on is up.');
    case 'full':
      return new BrokerFault('BROKER_UNAVAILABLE', 'The broker has not acknowledged those before.');
    case 'lost':
      return new BrokerFault('BROKER_UNAVAILABLE', 'The connection was lost before the broker acknowledged.');
    case 'overdue':
      return new BrokerFault('BROKER_UNAVAILABLE', `The broker did not acknowledge within ${timeoutMs} ms.`);
    default:
      return new BrokerFault('BROKER_UNAVAILABLE', `The broker answered with 0x${answer.code.toString(16)}.`);
  }
}
