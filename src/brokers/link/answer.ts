import type { ToldOutcome } from '../direct/outcome-message.js';
import type { PublishProperties } from './properties.js';

/** A PUBLISH that the broker is asked to answer within `timeoutMs`. */
export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
  readonly properties: PublishProperties;
  readonly timeoutMs: number;
  /** Told of the Packet Identifier as soon as the PUBLISH has one, which is at QoS 1. */
  readonly sent?: ((packetId: number) => void) | undefined;
}

/** A PUBACK, and what the broker told of it before. At QoS 0 it is success, once the PUBLISH is written. */
export interface Puback {
  readonly code: number;
  readonly reasonString?: string | undefined;
  readonly told?: ToldOutcome | undefined;
}

/**
 * The PUBACK; nothing was sent, because there is no connection or no place; the connection was lost before the PUBACK; it did
 * not come in time; or the packet is larger than the broker takes, and was not sent.
 */
export type Answer = Puback | 'unsent' | 'lost' | 'overdue' | 'tooLarge';
