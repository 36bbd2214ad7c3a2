import type { Reason } from '../reasons.js';
import type { DirectMessage } from './message.js';

/** Whether a message was written to the device's connection, and so whether to send it again is safe. */
export type Written = 'yes' | 'no' | 'unknown';

/** What a device published in answer to a request. */
export interface DeviceResponse {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly contentType?: string | undefined;
  /** In order, names may repeat. */
  readonly userProperties?: readonly (readonly [name: string, value: string])[] | undefined;
}

/** What became of the delivery of a direct message. */
export interface Delivery {
  readonly reason: Reason;
  readonly written: Written;
  /** The device's own PUBACK, where it said no: reason code, and Reason String (MQTT 5, section 3.4.2). */
  readonly device?: { readonly code: number; readonly reasonString?: string | undefined } | undefined;
  /** Of a message that was refused for what it is: the rule that it broke. */
  readonly details?: string | undefined;
  /** This was a repeat: the outcome is that of an attempt which was made before. */
  readonly joined?: boolean | undefined;
  /** Trace ID of that attempt. */
  readonly firstTraceId?: string | undefined;
  /** Its span, where that is recorded. */
  readonly firstSpanId?: string | undefined;
  /** An earlier attempt, which is over, was written to the device. */
  readonly earlierWritten?: boolean | undefined;
  /** The client is connected now: of a wait for that. */
  readonly connected?: boolean | undefined;
  /** Of ANSWERED. */
  readonly response?: DeviceResponse | undefined;
}

/**
 * Port to the broker's delivery primitive (`$dm/{clientId}/{topic}`).
 *
 * `deliver` settles exactly once, at the latest 2 s after `message.timeoutMs`, and never rejects: whatever happens is a
 * reason. DELIVERED is answered only for the receiver's own PUBACK.
 */
export interface DirectDelivery {
  deliver(message: DirectMessage): Promise<Delivery>;
  /**
   * Settles when that client is connected, or with why that is not waited for any longer: CLIENT_NOT_CONNECTED or
   * CLIENT_OFFLINE_WITH_SESSION when the time is over. Never rejects.
   *
   * @param signal where it is aborted nobody wants to know any more, whatever the answer is.
   */
  connected(wait: ConnectionWait, signal?: AbortSignal): Promise<'connected' | Delivery>;
}

/** Somebody wants to send to a client as soon as that is connected. */
export interface ConnectionWait {
  readonly targetClientId: string;
  /** Who, as a stable name: waits are limited for each. */
  readonly principal: string;
  /** How long, in milliseconds. */
  readonly waitMs: number;
}

/** How much longer than its timeout a delivery may take, in milliseconds: what comes before the device included. */
export const DELIVERY_MARGIN_MS = 2_000;
