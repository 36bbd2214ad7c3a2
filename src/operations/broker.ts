import type { DirectProperties } from '../direct/message.js';
import type { Reason } from '../reasons.js';

/** An ordinary message to an ordinary topic, validated. */
export interface BrokerMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: DirectProperties;
  /** MQTT 5 Message Expiry Interval, in seconds. Absent: never. */
  readonly expirySeconds?: number;
}

/** What a broker knows of a client that is connected, or whose session has not expired. Times are milliseconds since 1970. */
export interface Connection {
  readonly clientId: string;
  readonly connected: boolean;
  /** True where the session ends with the connection. */
  readonly cleanSession: boolean;
  /** 3, 4 or 5, as in CONNECT (MQTT 5, section 3.1.2.2). */
  readonly protocolVersion?: number;
  readonly username?: string;
  /** Ordinary messages written and not acknowledged, and those that wait in the session. */
  readonly inFlight?: number;
  readonly waiting?: number;
  readonly keepAliveSeconds?: number;
  readonly sessionExpirySeconds?: number;
  /** Only while connected. */
  readonly connectedSince?: number;
  /** Only while not connected. */
  readonly disconnectedSince?: number;
  readonly disconnectReason?: string;
  readonly socket?: {
    readonly sourceIp?: string;
    readonly sourcePort?: number;
    readonly targetIp?: string;
    readonly targetPort?: number;
  };
}

export interface DeleteHow {
  /** Whether the session ends too: its subscriptions and queued messages. */
  readonly cleanSession: boolean;
  /** Whether the will of the client stays unpublished. */
  readonly preventWill: boolean;
}

export interface Subscription {
  /** As the client sent it, `$share/{group}/` included. */
  readonly topicFilter: string;
  readonly qos: 0 | 1 | 2;
}

/** Absent is what a broker does not tell. */
export interface RetainedSummary {
  readonly topic: string;
  readonly qos: 0 | 1 | 2;
  readonly payloadBytes?: number;
  /** Milliseconds since 1970. */
  readonly lastModified?: number;
}

export interface RetainedMessage extends RetainedSummary {
  readonly payload: Uint8Array;
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

export interface RetainedPage {
  readonly messages: readonly RetainedSummary[];
  /** Where the next page begins, in words of the broker's own. Absent on the last page. */
  readonly next?: string;
}

/** Port to ordinary publishing. */
export interface Publisher {
  /**
   * Settles when the message was written (QoS 0), or when the broker has taken it over (QoS 1), whether or not anybody
   * subscribes to it. Rejects with BrokerFault; after BROKER_UNAVAILABLE a QoS 1 message may have been published.
   */
  publish(message: BrokerMessage): Promise<void>;
}

/**
 * Port to what a broker tells about, and does to, its clients and retained messages.
 *
 * Undefined answers mean that there is no such thing. Every method may reject with BrokerFault: BROKER_UNAVAILABLE, or
 * NOT_SUPPORTED for what this broker cannot do.
 */
export interface BrokerOperations {
  getConnection(clientId: string): Promise<Connection | undefined>;
  /** Ends a connection that was just got and, where asked, the session. False where it was gone before. */
  deleteConnection(connection: Connection, how: DeleteHow): Promise<boolean>;
  /** In any order. */
  listSubscriptions(clientId: string): Promise<readonly Subscription[] | undefined>;
  getRetainedMessage(topic: string): Promise<RetainedMessage | undefined>;
  /**
   * A page of at most `limit` messages from `from` on, which is the `next` of the page before. A page may hold fewer
   * messages than there are left. Rejects with INVALID_PARAMETER for a `from` that was never a `next`.
   */
  listRetainedMessages(limit: number, from?: string): Promise<RetainedPage>;
}

/** What a broker did not do, and why. `details` is for the operator, and for the caller where the reason is their fault. */
export class BrokerFault extends Error {
  override readonly name = 'BrokerFault';
  readonly reason: Extract<Reason, 'BROKER_UNAVAILABLE' | 'NOT_SUPPORTED' | 'INVALID_PARAMETER' | 'PAYLOAD_TOO_LARGE'>;

  constructor(reason: BrokerFault['reason'], details: string, options?: ErrorOptions) {
    super(details, options);
    this.reason = reason;
  }
}
