import type { Reason } from '../../reasons.js';
import { DELIVERY_MARGIN_MS, type Delivery } from '../../direct/delivery.js';
import type { PendingMessage, Remembered } from './message.js';

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
    const waited = performance.now() - message.begun;
    if (waited < REARM_MS) return;
    this.rearm(message, Math.min(message.timeoutMs, message.timeoutMs + DELIVERY_MARGIN_MS - waited));
  }

  /** The device has acknowledged it. Where its answer is asked for, that is still to come. */
  acknowledged(message: PendingMessage): void {
    if (message.request === undefined) this.settle(message, 'DELIVERED');
    else message.acknowledged = true;
  }

  /** The device has acknowledged, or its connection has ended, after the message had its outcome. */
  late(remembered: Remembered, delivery: Delivery): void {
    this.#on.late(remembered, delivery);
  }

  /** Its time is over in so many milliseconds from now. */
  rearm(message: PendingMessage, milliseconds: number): void {
    clearTimeout(message.timer);
    message.timer = setTimeout(() => {
      this.#on.timeUp(message);
    }, milliseconds);
  }

  /** Forgets the message without an outcome; false where it had one. */
  drop(message: PendingMessage): boolean {
    if (!this.#messages.delete(message)) return false;
    clearTimeout(message.timer);
    message.receiver?.forget(message);
    return true;
  }
}
