import type { LogDestination } from '../../src/telemetry/log/destination.js';

export type Line = Readonly<Record<string, unknown>>;

/** A log destination that keeps its lines, parsed, and lets a test wait for one. */
export interface CapturedLog extends LogDestination {
  readonly lines: readonly Line[];
  readonly text: string;
  /** The first line, written or to come, that matches. */
  next(matches: (line: Line) => boolean): Promise<Line>;
}

export function captureLog(): CapturedLog {
  const written: string[] = [];
  const lines: Line[] = [];
  const waiting = new Awaited<Line>();
  return {
    write(text) {
      written.push(text);
      const line = JSON.parse(text) as Line;
      lines.push(line);
      waiting.offer(line);
    },
    dropped: 0,
    close: () => Promise.resolve(),
    lines,
    get text() {
      return written.join('');
    },
    next: (matches) => waiting.next(lines, matches),
  };
}

/** Lets tests wait for a thing of a kind that is still to come. */
export class Awaited<T> {
  readonly #waiting = new Set<(item: T) => void>();

  offer(item: T): void {
    for (const take of [...this.#waiting]) take(item);
  }

  /** The first of those that are there, or that will be offered, that matches. */
  next(there: readonly T[], matches: (item: T) => boolean): Promise<T> {
    const found = there.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    return new Promise((resolve) => {
      const take = (item: T): void => {
        if (!matches(item)) return;
        this.#waiting.delete(take);
        resolve(item);
      };
      this.#waiting.add(take);
    });
  }
}
