import type { Limits } from '../../direct/limits.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { BrokerOperations } from '../../operations/broker.js';
import type { RateLimiter } from '../../throttling/rate-limiter.js';
import type { ReceiverLimits } from '../direct/receiver.js';
import type { WaitingLimits } from '../direct/waiting.js';

export interface EmbeddedBrokerOptions {
  /** Address of the hook provider, `host:port`. It decides about every client; while it is away, nobody gets in. */
  readonly exhookAddress: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** User that `$dm/` is open to without asking the provider, and nothing else. */
  readonly serviceUsername: string;
  readonly diagnostics: Diagnostics;
  /** Whether lifecycle events are published (`$aws/events/`). Default: not. */
  readonly lifecycleEvents?: boolean;
  /** Version that the broker gives the provider. */
  readonly version?: string;
  readonly limits?: Limits;
  /** How many direct messages one receiver may be sent; shared with whoever sends through the service's user. */
  readonly perReceiver?: RateLimiter | undefined;
  readonly receiver?: Partial<ReceiverLimits>;
  /** How many direct messages may wait for their receivers to connect. */
  readonly waiting?: Partial<WaitingLimits> | undefined;
  /** How long a permission of the provider is remembered for one connection, in milliseconds; 0 for not at all. */
  readonly authorizationCacheMs?: number;
  /** How long the provider may take to answer, in milliseconds. */
  readonly hookTimeoutMs?: number;
  /** How long to wait before a provider that did not answer at the start is tried again, in milliseconds. */
  readonly hookReconnectMs?: number;
}

/**
 * MQTT broker for a first run, for development and for tests. Not for production: it keeps everything in memory. Of the
 * hooks of EMQX it calls those of clients and sessions, and `message.dropped` for outcomes of direct messages.
 */
export interface EmbeddedBroker {
  /**
   * Asks the provider for its hooks once, and listens whatever the answer.
   *
   * @returns the port.
   * @throws where the address cannot be listened on.
   */
  start(): Promise<number>;
  /** Disconnects every client (MQTT 5: 0x8B, Server shutting down), tells the provider, and ends. */
  close(): Promise<void>;
  /** What the broker holds at the moment. */
  readonly load: { readonly connections: number; readonly pendingMessages: number };
  /** What the data-plane API asks of a broker. */
  readonly operations: BrokerOperations;
}
