import type { DirectAddress } from '../direct/topic.js';
import type { ActionEvent, Events } from '../observing/events.js';
import type { Decision } from '../policy/authorizer.js';

/** A receiver that may not receive a direct message. */
export interface ReceiverRefusal extends ActionEvent {
  readonly decision: Decision;
}

/** Brings together what is decided about the receiver of a direct message and what becomes of the message. */
export interface Refusals {
  /** The receiver was refused: told as `Receive`, under the trace of the message where its outcome comes in time. */
  add(address: DirectAddress, refusal: ReceiverRefusal): void;
  /** A message of this trace ended with RECEIVER_NOT_AUTHORIZED: by which decision, as far as it was made here. */
  settle(address: DirectAddress, traceId: string): Decision | undefined;
}

/** An outcome follows its refusal within milliseconds; reports of a broker are gathered for 100 ms. */
const WAIT_MS = 2_000;
/** Receivers and topics whose latest refusal is remembered: brokers remember it too, and do not ask again. */
const MOST_KEPT = 10_000;
/** Of one receiver and topic. */
const MOST_WAITING = 100;

interface Kept {
  decision: Decision;
  /** Those not told yet. */
  readonly waiting: Waiting[];
}

interface Waiting {
  readonly refusal: ReceiverRefusal;
  readonly timer: NodeJS.Timeout;
}

/**
 * A broker asks about the receiver without saying for which message. So the line of the refusal waits for that of the
 * outcome, takes its trace, and gives it the statement that refused. Where the outcome is told by another replica, it is
 * told under a trace of its own after two seconds.
 */
export class ReceiverRefusals implements Refusals {
  readonly #events: Events;
  readonly #kept = new Map<string, Kept>();

  constructor(events: Events) {
    this.#events = events;
  }

  add(address: DirectAddress, refusal: ReceiverRefusal): void {
    const key = keyOf(address);
    const waiting: Waiting[] = this.#kept.get(key)?.waiting ?? [];
    this.#kept.delete(key);
    this.#kept.set(key, { decision: refusal.decision, waiting });
    const one: Waiting = {
      refusal,
      timer: setTimeout(() => {
        waiting.splice(waiting.indexOf(one), 1);
        this.#events.tell('Receive', refusal);
      }, WAIT_MS).unref(),
    };
    waiting.push(one);
    if (waiting.length > MOST_WAITING) this.#tellFirst(waiting);
    if (this.#kept.size <= MOST_KEPT) return;
    const [[oldest, forgotten] = ['', undefined]] = this.#kept;
    this.#kept.delete(oldest);
    while (forgotten !== undefined && forgotten.waiting.length > 0) this.#tellFirst(forgotten.waiting);
  }

  settle(address: DirectAddress, traceId: string): Decision | undefined {
    const kept = this.#kept.get(keyOf(address));
    if (kept !== undefined) this.#tellFirst(kept.waiting, traceId);
    return kept?.decision;
  }

  /** Tells what still waits. */
  close(): void {
    for (const { waiting } of this.#kept.values()) while (waiting.length > 0) this.#tellFirst(waiting);
    this.#kept.clear();
  }

  #tellFirst(waiting: Waiting[], traceId?: string): void {
    const first = waiting.shift();
    if (first === undefined) return;
    clearTimeout(first.timer);
    this.#events.tell('Receive', traceId === undefined ? first.refusal : { ...first.refusal, traceId });
  }
}

/** No client ID holds U+0000 (MQTT 5, section 1.5.4). */
function keyOf({ targetClientId, topic }: DirectAddress): string {
  return `${targetClientId}\0${topic}`;
}
