import type { Reason } from '../../reasons.js';

/** What has become of a batch so far. */
export class Tally {
  readonly counts = new Map<Reason, number>();
  /** HTTP statuses of those that failed. */
  readonly failures = new Set<number>();
  #lines = 0;

  /** Lines with an outcome. */
  get lines(): number {
    return this.#lines;
  }

  add({ reason, status }: { readonly reason: Reason; readonly status: number }): void {
    this.#lines += 1;
    this.counts.set(reason, (this.counts.get(reason) ?? 0) + 1);
    if (status !== 200) this.failures.add(status);
  }

  /** The most frequent first: `9,970 DELIVERED, 10 PUBACK_TIMEOUT`. */
  toString(): string {
    const sorted = [...this.counts].sort(([, one], [, other]) => other - one);
    return sorted.map(([reason, count]) => `${number(count)} ${reason}`).join(', ');
  }
}

/** Numbers as people read them. */
export function number(value: number): string {
  return Math.round(value).toLocaleString('en');
}

const BAR = 24;
const REDRAW_MS = 100;

/** A line that shows how far a batch is, drawn over and over; nothing where nobody looks. */
export class Progress {
  readonly #out: NodeJS.WriteStream | undefined;
  readonly #total: number | undefined;
  readonly #clock: () => number;
  readonly #startedAt: number;
  #drawnAt = -Infinity;

  /** @param total lines that will have an outcome, where that is known */
  constructor(out: NodeJS.WriteStream, total: number | undefined, clock: () => number) {
    this.#out = out.isTTY ? out : undefined;
    this.#total = total;
    this.#clock = clock;
    this.#startedAt = clock();
  }

  get seconds(): number {
    return (this.#clock() - this.#startedAt) / 1000;
  }

  show(tally: Tally): void {
    if (this.#out === undefined || this.#clock() - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = this.#clock();
    const line = progressLine(tally, this.#total, this.seconds).slice(0, (this.#out.columns || 80) - 1);
    this.#out.write(`\r\u001b[2K${line}`);
  }

  /** Leaves the line to whatever comes next. */
  clear(): void {
    this.#out?.write('\r\u001b[2K');
  }
}

/** How far it is, how fast, how long still, and what came of it. */
export function progressLine(tally: Tally, total: number | undefined, seconds: number): string {
  const { lines } = tally;
  const rate = seconds > 0 ? lines / seconds : 0;
  const speed = `${number(rate)}/s`;
  if (total === undefined || total === 0) return `${number(lines)} lines  ${speed}  ${tally.toString()}`;
  const done = Math.min(1, lines / total);
  const bar = '#'.repeat(Math.round(done * BAR)).padEnd(BAR, '-');
  const left = rate > 0 ? `${Math.ceil((total - lines) / rate)} s left` : 'waiting';
  return `[${bar}] ${number(lines)}/${number(total)} ${Math.floor(done * 100)} %  ${speed}  ${left}  ${tally.toString()}`;
}
