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
  /** The receiver's side of a direct message was decided, or any other HTTP operation ended. */
  operation(event: OperationEvent): void;
}

export interface DirectMessageEvent {
  readonly traceId: string;
  readonly sender: Identity;
  /** A broker that asks for an authorization tells neither QoS nor payload, so a refusal there leaves both out. */
  readonly message: Pick<DirectMessage, 'targetClientId' | 'topic'> & {
    readonly confirmation?: boolean;
    readonly payloadBytes?: number;
  };
  readonly reason: Reason;
  readonly durationMs: number;
  /** The decision about the sender; absent where the request was refused before it. */
  readonly decision?: Decision;
  readonly details?: string;
}

export interface ClientEvent {
  readonly identity: Identity;
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
