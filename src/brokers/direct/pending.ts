import type { IPublishPacket } from 'mqtt-packet';
import type { DirectAddress } from '../../direct/topic.js';
import type { Reason } from '../../reasons.js';
import { DELIVERY_MARGIN_MS, type Delivery } from '../../direct/delivery.js';
import type { Remembered } from './memory.js';
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
  /** How long the device has for its PUBACK, in milliseconds. */
  readonly timeoutMs: number;
  /** `performance.now()` of its arrival. */
  readonly since: number;
  timer: NodeJS.Timeout;
  /** Whose delivery it is, where the sender gave it an identity. */
  readonly identity:
    { readonly id: string; readonly principal: string; readonly traceId: string | undefined } | undefined;
  /** What is remembered of that identity, once this message is an attempt of it, or waits for one. */
  remembered: Remembered | undefined;
  /** It was written to the connection of the device. */
  written: boolean;
  /** It has its outcome, and the device can still acknowledge it: on a live connection, at QoS 1. */
  unacknowledged: boolean;
  /** The connection that it waits on, once there is one. */
  receiver: Receiver | undefined;
  /** Packet identifier towards the device, once it was sent at QoS 1. */
  packetId: number | undefined;
}

/** What is done about messages. */
export interface PendingListener {
  outcome(message: PendingMessage, delivery: Delivery): void;
  timeUp(message: PendingMessage): void;
  late(remembered: Remembered, delivery: Delivery): void;
}

/** A message that waited no longer than this is not worth another timer. */
const REARM_MS = 2;

/**
 * All direct messages that have no outcome yet. Acknowledgement, timeout, disconnect and refusal can meet on one
 * message; whoever takes it from here first decides, so each has exactly one outcome and its sender one answer.
 */
export class PendingTable {
  readonly #messages = new Set<PendingMessage>();
  readonly #on: PendingListener;

  constructor(on: PendingListener) {
    this.#on = on;
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
  settle(message: PendingMessage, reason: Reason, more: Partial<Delivery> = {}): void {
    if (!this.drop(message)) return;
    this.#on.outcome(message, { reason, written: message.written ? 'yes' : 'no', ...more });
  }

  /** It is on its way to the device, whose time begins now, within the margin of the whole. */
  wrote(message: PendingMessage): void {
    message.written = true;
    if (message.qos === 0) return;
    const waited = performance.now() - message.since;
    if (waited < REARM_MS) return;
    clearTimeout(message.timer);
    const left = Math.min(message.timeoutMs, message.timeoutMs + DELIVERY_MARGIN_MS - waited);
    message.timer = setTimeout(() => {
      this.#on.timeUp(message);
    }, left);
  }

  /** The device has acknowledged, or its connection has ended, after the message had its outcome. */
  late(remembered: Remembered, delivery: Delivery): void {
    this.#on.late(remembered, delivery);
  }

  /** Forgets the message without an outcome; false where it had one. */
  drop(message: PendingMessage): boolean {
    if (!this.#messages.delete(message)) return false;
    clearTimeout(message.timer);
    message.receiver?.forget(message);
    return true;
  }
}
