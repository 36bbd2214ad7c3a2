import type { DirectMessage } from '../direct/message.js';
import type { Identity } from '../identity/identity.js';
import type { Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';

/**
 * What happened, one method an event; log, metrics and traces listen. No method throws, blocks or fails its caller.
 * `details` is for the operator and must hold no secret and no payload.
 */
export interface Events {
  /** A direct message has its outcome: exactly one event a message, through whichever door. */
  directMessage(event: DirectMessageEvent): void;
  /** A client was admitted or refused. */
  connect(event: ClientEvent): void;
  /** A connection ended. `reason` of the broker is in `disconnectReason`. */
  disconnect(event: ClientEvent & { readonly disconnectReason: string }): void;
  /** A subscription was decided. */
  subscribe(event: ClientEvent & { readonly topicName: string }): void;
  /** A PUBLISH of a client was refused (or, where switched on, admitted). */
  publishIn(event: ClientEvent & { readonly topicName: string }): void;
  /** A client gave a subscription up. Only where that is switched on. */
  unsubscribe(event: ClientEvent & { readonly topicName: string }): void;
  /** A message was delivered to a client. Only where that is switched on. */
  publishOut(event: ClientEvent & { readonly topicName: string }): void;
  /** The receiver's side of a direct message was decided, or any other HTTP operation ended. */
  operation(event: OperationEvent): void;
}

/** What the service itself does, beside what it does for its callers. The same promise: no method throws or blocks. */
export interface ServiceEvents {
  /** A step in the life of the process: `ready` with the ports, `draining`, `stopped`. */
  lifecycle(msg: string, fields?: LifecycleFields): void;
  /** Something failed that no caller can be told of, in one line: what was being done, and the error. */
  fault(msg: string, error: unknown): void;
  /** A policy set took effect, or was refused and the one before stays. */
  policyReload(event: PolicyReloadEvent): void;
  /** A connection of the service to the broker changed its state. */
  brokerConnection(event: BrokerConnectionEvent): void;
}

export interface LifecycleFields {
  readonly [name: string]: string | number | boolean | LifecycleFields;
}

export interface PolicyReloadEvent {
  readonly outcome: 'loaded' | 'refused';
  /** Content hash (or other version) of the set read; absent where it could not be read. */
  readonly version?: string;
  readonly policies?: number;
  readonly principals?: number;
  readonly durationMs?: number;
  /** Why it was refused: file, statement and rule. */
  readonly details?: string;
}

export interface BrokerConnectionEvent {
  /**
   * `ready`: direct messages can be sent. `pluginMissing`: connected, but the broker does not deliver them. `refused`: the
   * broker does not let the service's user in, or not to `$dm/#`. `down`: not connected.
   */
  readonly state: 'ready' | 'pluginMissing' | 'refused' | 'down';
  /** Address of the broker, without credentials. */
  readonly broker: string;
  /** MQTT client ID of the connection. */
  readonly clientId: string;
  readonly details?: string;
}

export interface DirectMessageEvent {
  readonly traceId: string;
  readonly sender: Identity;
  /** A broker that asks for an authorization tells neither QoS nor payload, so a refusal there leaves both out. */
  readonly message: Pick<DirectMessage, 'targetClientId' | 'topic'> & {
    readonly confirmation?: boolean | undefined;
    readonly payloadBytes?: number | undefined;
  };
  readonly reason: Reason;
  readonly durationMs: number;
  /** When it had its outcome, in milliseconds since 1970; absent where that is now. */
  readonly endedAt?: number | undefined;
  /** The decision about the sender; absent where the request was refused before it. */
  readonly decision?: Decision | undefined;
  readonly details?: string | undefined;
}

export interface ClientEvent {
  readonly identity: Identity;
  /** Trace of the hook call; the log makes a new one where there is none. */
  readonly traceId?: string;
  /** QoS of the message or of the subscription, where the broker tells it. */
  readonly qos?: number;
  readonly payloadBytes?: number;
  /** Absent on success. */
  readonly reason?: Reason;
  readonly decision?: Decision;
  readonly details?: string;
}

export interface OperationEvent {
  readonly traceId: string;
  /** Name of the operation as AWS logs it: GetConnection, Receive, ... */
  readonly eventType: string;
  readonly identity?: Identity;
  readonly reason?: Reason;
  readonly durationMs?: number;
  readonly clientId?: string;
  readonly topicName?: string;
  readonly decision?: Decision;
  readonly details?: string;
}
