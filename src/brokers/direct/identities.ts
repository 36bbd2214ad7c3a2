import type { Delivery } from '../../direct/delivery.js';
import { responseBytes } from './answers.js';
import { Memory, fingerprintOf, type MemoryLimits } from './memory.js';
import type { PendingMessage, Remembered } from './message.js';

/** What the deliveries of an identity do to their messages. */
export interface IdentityContext {
  /** Gives a message its outcome. */
  settle(message: PendingMessage, outcome: Delivery): void;
  /** Makes an attempt of a message: it goes to the receiver. */
  attempt(message: PendingMessage): void;
  /** No answer of a device is waited for any more under that identity. */
  notAwaited(remembered: Remembered): void;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  readonly limits?: Partial<MemoryLimits>;
}

/** Outcomes that a repeat gets again: the device has spoken, or nothing more is to be heard of it. */
const STANDING: ReadonlySet<string> = new Set([
  'DELIVERED',
  'DISPATCHED',
  'RECEIVER_REJECTED',
  'ANSWERED',
  'RESPONSE_TOO_LARGE',
]);

/** One delivery for each identity, however often it is asked for. */
export class Identities {
  readonly #context: IdentityContext;
  readonly #memory: Memory;

  constructor(context: IdentityContext) {
    this.#context = context;
    this.#memory = new Memory(
      context.clock,
      (known) => {
        context.notAwaited(known);
      },
      context.limits,
    );
  }

  /** Identities that are remembered. */
  get size(): number {
    return this.#memory.size;
  }

  /** A message whose sender may send. A repeat joins, is answered or refused; anything else is attempted. */
  admit(message: PendingMessage): void {
    const { identity, address } = message;
    if (identity === undefined) {
      this.#context.attempt(message);
      return;
    }
    const fingerprint = fingerprintOf(message);
    const { principal, id, traceId } = identity;
    const whose = { principal, id, targetClientId: address.targetClientId };
    const known = this.#memory.find(whose);
    if (known === undefined) {
      const fresh = this.#memory.add(whose, fingerprint, traceId);
      if (fresh !== undefined) this.#begin(message, fresh);
      this.#context.attempt(message);
    } else if (known.fingerprint !== fingerprint) {
      this.#context.settle(message, { reason: 'IDEMPOTENCY_KEY_REUSED', written: 'no' });
    } else if (known.state === 'over') {
      this.#memory.revived(known);
      this.#begin(message, known);
      this.#context.attempt(message);
    } else if (known.outcome !== undefined) {
      this.#context.settle(message, joined(known.outcome, known));
    } else {
      message.remembered = known;
      known.joined.add(message);
    }
  }

  /** A message has its outcome. @returns what its sender is to be told. */
  settled(message: PendingMessage, outcome: Delivery): Delivery {
    const known = message.remembered;
    if (known === undefined) return outcome;
    if (known.attempt !== message) {
      known.joined.delete(message);
      return outcome;
    }
    const told = known.earlierWritten ? { ...outcome, earlierWritten: true } : outcome;
    if (STANDING.has(outcome.reason)) this.#answer(known, told);
    else if (message.acknowledged) this.#leave(known, 'acknowledged');
    else if (message.unacknowledged) this.#leave(known);
    else if (outcome.reason === 'RECEIVER_DISCONNECTED' || message.written) this.#over(known, told);
    else if (LAPSED.has(outcome.reason) && this.#handOver(known)) return told;
    else this.#over(known, told);
    return told;
  }

  /** The sender is gone before its message had an outcome. What was written to the device goes on without it. */
  abandoned(message: PendingMessage): void {
    const known = message.remembered;
    if (known === undefined) return;
    if (known.attempt !== message) known.joined.delete(message);
    else if (message.acknowledged) this.#leave(known, 'acknowledged');
    else if (message.unacknowledged) this.#leave(known);
    else if (!this.#handOver(known)) this.#over(known, { reason: 'BROKER_UNAVAILABLE', written: 'no' });
  }

  /** The device has acknowledged or answered what nobody waited for any more, or its connection has ended before. */
  late(known: Remembered, outcome: Delivery): void {
    const { state, awaited } = known;
    if (state !== 'unacknowledged' && state !== 'acknowledged') return;
    // Of a request it is the answer that counts.
    if (outcome.reason === 'DELIVERED' && awaited !== undefined) known.state = 'acknowledged';
    else if (STANDING.has(outcome.reason)) this.#answer(known, outcome);
    else this.#over(known, outcome, true);
  }

  #begin(message: PendingMessage, known: Remembered): void {
    message.remembered = known;
    known.state = 'trying';
    known.attempt = message;
  }

  /** The outcome stands. */
  #answer(known: Remembered, outcome: Delivery): void {
    const { response } = outcome;
    const isKept = response === undefined || this.#memory.keepAnswer(known, responseBytes(response));
    known.state = 'answered';
    known.attempt = undefined;
    known.outcome = isKept ? outcome : { ...outcome, reason: 'RESPONSE_TOO_LARGE', response: undefined };
    this.#context.notAwaited(known);
    this.#memory.settled(known);
    this.#tellJoined(known, outcome);
  }

  /** Written, and not acknowledged on a connection that lives, or acknowledged and not answered: whoever joined goes on waiting. */
  #leave(known: Remembered, state: 'unacknowledged' | 'acknowledged' = 'unacknowledged'): void {
    known.state = state;
    known.attempt = undefined;
    this.#memory.settled(known);
  }

  /** Another attempt may be made. Of what was never written there is nothing to remember. */
  #over(known: Remembered, outcome: Delivery, written = outcome.written === 'yes'): void {
    known.earlierWritten ||= written;
    known.state = 'over';
    known.attempt = undefined;
    this.#context.notAwaited(known);
    if (known.earlierWritten) this.#memory.settled(known);
    else this.#memory.forget(known);
    this.#tellJoined(known, outcome);
  }

  /** The attempt's own time was over before it was written: one that joined, and waits longer, takes its place. */
  #handOver(known: Remembered): boolean {
    const [next] = known.joined;
    if (next === undefined) return false;
    known.joined.delete(next);
    this.#begin(next, known);
    this.#context.attempt(next);
    return true;
  }

  #tellJoined(known: Remembered, outcome: Delivery): void {
    for (const message of [...known.joined]) this.#context.settle(message, joined(outcome, known));
  }
}

/** Ends of an attempt that say nothing about the receiver but that its own time was too short. */
const LAPSED: ReadonlySet<string> = new Set([
  'RECEIVER_THROTTLED',
  'PUBACK_TIMEOUT',
  'CLIENT_NOT_CONNECTED',
  'CLIENT_OFFLINE_WITH_SESSION',
]);

function joined(outcome: Delivery, { traceId }: Remembered): Delivery {
  return { ...outcome, joined: true, ...(traceId !== undefined && { firstTraceId: traceId }) };
}
