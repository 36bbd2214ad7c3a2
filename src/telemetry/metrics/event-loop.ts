import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Interval of the sampling timer, in milliseconds. */
const RESOLUTION_MS = 10;
/** Shortest window: several readers must not cut each other's to nothing. */
const WINDOW_MS = 10_000;

export interface EventLoopDelay {
  /** Seconds by which timers were late in the last full window, by quantile. */
  read(): ReadonlyMap<EventLoopQuantile, number>;
  close(): void;
}
export type EventLoopQuantile = '0.5' | '0.99' | '1';

/** Measures how late the event loop is, by a timer: costs about 100 short wake-ups a second. */
export function watchEventLoop(): EventLoopDelay {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  let since = performance.now();
  let last: ReadonlyMap<EventLoopQuantile, number> | undefined;
  const read = (): ReadonlyMap<EventLoopQuantile, number> => {
    // The timer's own interval is part of what the histogram holds, in nanoseconds.
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1000);
    return new Map([
      ['0.5', late(histogram.percentile(50))],
      ['0.99', late(histogram.percentile(99))],
      ['1', histogram.count === 0 ? 0 : late(histogram.max)],
    ]);
  };
  return {
    read() {
      if (performance.now() - since >= WINDOW_MS) {
        last = read();
        histogram.reset();
        since = performance.now();
      }
      return last ?? read();
    },
    close: () => {
      histogram.disable();
    },
  };
}
