import type { ClientOptions } from '../clients/context.js';
import type { Config } from '../config/schema.js';
import type { DirectDelivery } from '../direct/delivery.js';
import type { Limits } from '../direct/limits.js';
import type { Diagnostics } from '../observing/diagnostics.js';
import type { BrokerOperations, Publisher } from '../operations/broker.js';
import type { RateLimiter } from '../throttling/rate-limiter.js';
import type { BrokerConnectionEvent } from './link/connection-pool.js';

/** Ports for MQTT: in clear text, with TLS, and both within WebSockets. */
export interface BrokerPorts {
  readonly mqtt: number;
  readonly mqtts?: number;
  readonly ws?: number;
  readonly wss?: number;
}

/** A broker as the service has it, whichever it is. One folder beside this file makes one. */
export interface Broker {
  readonly delivery: DirectDelivery;
  readonly publisher: Publisher;
  readonly operations: BrokerOperations;
  /** True while direct messages can be delivered. */
  readonly ready: boolean;
  /** Direct messages sent and not yet answered. */
  readonly inFlight: number;
  /** Where clients connect, of what runs in this process. */
  readonly ports?: BrokerPorts;
  /** What such a broker holds at the moment. */
  readonly load?: { readonly connections: number; readonly pendingMessages: number };
  /** Drain first: what is in flight is answered BROKER_UNAVAILABLE. Never rejects. */
  close(): Promise<void>;
}

/** What a broker is opened with. */
export interface BrokerSetting {
  readonly config: Config;
  /** Port of the hook provider, which listens by now; absent where none is needed. */
  readonly exhookPort: number | undefined;
  /** What decides about clients, for a broker that asks in this process. */
  readonly clients: ClientOptions;
  readonly limits: Limits;
  /** How many direct messages one receiver may be sent. */
  readonly perReceiver: RateLimiter | undefined;
  readonly diagnostics: Diagnostics;
  readonly onConnection: (event: BrokerConnectionEvent) => void;
}

/** @throws where it cannot start. That a broker elsewhere is not reachable is no reason. */
export type OpenBroker = (setting: BrokerSetting) => Promise<Broker>;
