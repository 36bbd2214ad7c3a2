import type { IPublishPacket } from 'mqtt-packet';
import type { DirectAddress } from '../../direct/topic.js';
import type { Reason } from '../../reasons.js';
import type { Party } from './party.js';
import type { Receiver } from './receiver.js';

/** A direct message without an outcome. */
export interface PendingMessage {
  readonly sender: Party;
  /** The sender's PUBLISH. */
  readonly packet: IPublishPacket;
  readonly address: DirectAddress;
  /** QoS at which the device receives it. */
  readonly qos: 0 | 1;
  /** `performance.now()` of its arrival. */
  readonly since: number;
  readonly timer: NodeJS.Timeout;
  /** The connection that it waits on, once there is one. */
  receiver: Receiver | undefined;
  /** Packet identifier towards the device, once it was sent at QoS 1. */
  packetId: number | undefined;
}

/**
 * All direct messages that have no outcome yet. Acknowledgement, timeout, disconnect and refusal can meet on one
 * message; whoever takes it from here first decides, so each has exactly one outcome and its sender one answer.
 */
export class PendingTable {
  readonly #messages = new Set<PendingMessage>();
  readonly #onOutcome: (message: PendingMessage, reason: Reason) => void;

  constructor(onOutcome: (message: PendingMessage, reason: Reason) => void) {
    this.#onOutcome = onOutcome;
  }

  get size(): number {
    return this.#messages.size;
  }

  add(message: PendingMessage): void {
    this.#messages.add(message);
  }

  has(message: PendingMessage): boolean {
    return this.#messages.has(message);
  }

  /** Gives the message its outcome, where it has none yet. */
  settle(message: PendingMessage, reason: Reason): void {
    if (this.drop(message)) this.#onOutcome(message, reason);
  }

  /** Forgets the message without an outcome; false where it had one. */
  drop(message: PendingMessage): boolean {
    if (!this.#messages.delete(message)) return false;
    clearTimeout(message.timer);
    message.receiver?.forget(message);
    return true;
  }
}
