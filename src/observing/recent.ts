import type { EventRecord } from './events.js';

/** How much of the past is kept. */
export const MOST_EVENTS = 10_000;
/** A line holds topics and texts of others, of any length: so many characters in all, whatever the number of lines. */
export const MOST_CHARACTERS = 16 * 1024 * 1024;
/** Who reads along at the same time. */
export const MOST_READERS = 16;

/** Characters that a reader is given at once, about. */
const CHUNK = 64 * 1024;

/** An event as it was told. */
export interface RecentEvent {
  /** When, in milliseconds since 1970. */
  readonly at: number;
  readonly record: EventRecord;
  /** The record as the log writes it, with its newline. */
  readonly line: string;
}

export type Wanted = (record: EventRecord) => boolean;

/** The past that a reader wants before the present; neither: none. */
export interface Past {
  readonly last?: number | undefined;
  readonly since?: number | undefined;
}

/**
 * The latest events, also those that level and sampling leave out of the log, for whoever asks what has happened and what
 * happens. In memory, of this process alone. Looking through all of them takes about a millisecond, so there is no index.
 */
export class RecentEvents {
  readonly #ring: RecentEvent[] = [];
  /** Numbers of the oldest event kept and of the next to come: they only grow. */
  #first = 0;
  #next = 0;
  #characters = 0;
  readonly #readers = new Set<object>();
  readonly #waiting = new Set<() => void>();

  take(event: RecentEvent): void {
    if (this.#next - this.#first === MOST_EVENTS) this.#forget();
    this.#ring[this.#next % MOST_EVENTS] = event;
    this.#next += 1;
    this.#characters += event.line.length;
    while (this.#characters > MOST_CHARACTERS && this.#first < this.#next) this.#forget();
    if (this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** The latest events that are wanted, the oldest of them first. */
  find(wanted: Wanted, { last = MOST_EVENTS, since = -Infinity }: Past = {}): readonly RecentEvent[] {
    const found: RecentEvent[] = [];
    for (let number = this.#next - 1; number >= this.#first && found.length < last; number -= 1) {
      const event = this.#at(number);
      if (event.at >= since && wanted(event.record)) found.push(event);
    }
    return found.reverse();
  }

  /**
   * Lines that are wanted, one or many at a time: those of the past, then, with `follow`, each as it happens, until the
   * signal. Who takes them so slowly that they are forgotten before it is its turn is told how many went by, wanted or not:
   * `{"missed":n}`.
   *
   * @returns undefined where there are too many readers already
   */
  read(
    wanted: Wanted,
    { past, follow, signal }: { readonly past: Past; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncIterable<string> | undefined {
    if (this.#readers.size >= MOST_READERS) return undefined;
    const reader = {};
    this.#readers.add(reader);
    // A reader may go before it has asked for its first line.
    signal.addEventListener('abort', () => this.#readers.delete(reader));
    if (signal.aborted) this.#readers.delete(reader);
    // From now on, not from when the first line is asked for.
    const lines = this.#lines(wanted, this.#startOf(wanted, past), follow ? Infinity : this.#next, signal);
    return this.#during(reader, lines);
  }

  async *#during(reader: object, lines: AsyncGenerator<string>): AsyncGenerator<string> {
    try {
      yield* lines;
    } finally {
      this.#readers.delete(reader);
    }
  }

  async *#lines(wanted: Wanted, from: number, to: number, signal: AbortSignal): AsyncGenerator<string> {
    let number = from;
    while (!signal.aborted && number < to) {
      if (number < this.#first) {
        yield `${JSON.stringify({ missed: this.#first - number })}\n`;
        number = this.#first;
      }
      let lines = '';
      for (; number < Math.min(to, this.#next) && lines.length < CHUNK; number += 1) {
        const { record, line } = this.#at(number);
        if (wanted(record)) lines += line;
      }
      if (lines !== '') yield lines;
      else if (number === this.#next && number < to) await this.#arrival(signal);
    }
  }

  #startOf(wanted: Wanted, { last, since = -Infinity }: Past): number {
    if (last === undefined && since === -Infinity) return this.#next;
    let start = this.#next;
    let left = last ?? MOST_EVENTS;
    for (let number = this.#next - 1; number >= this.#first && left > 0; number -= 1) {
      const { at, record } = this.#at(number);
      if (at < since || !wanted(record)) continue;
      start = number;
      left -= 1;
    }
    return start;
  }

  /** Settles with the next event, or the signal. */
  #arrival(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
      if (signal.aborted) wake();
    });
  }

  #forget(): void {
    this.#characters -= this.#at(this.#first).line.length;
    // What is forgotten by size goes at once, and not when its place is needed.
    this.#ring[this.#first % MOST_EVENTS] = FORGOTTEN;
    this.#first += 1;
  }

  #at(number: number): RecentEvent {
    return this.#ring[number % MOST_EVENTS] ?? FORGOTTEN;
  }
}

const FORGOTTEN: RecentEvent = {
  at: -Infinity,
  record: { traceId: '', status: 'Success', eventType: 'HttpRequest' },
  line: '',
};
