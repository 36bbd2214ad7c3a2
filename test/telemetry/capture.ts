import type { LogDestination } from '../../src/telemetry/log/destination.js';

/** A log destination that keeps its lines, parsed. */
export interface CapturedLog extends LogDestination {
  readonly lines: readonly Record<string, unknown>[];
  readonly text: string;
}

export function captureLog(): CapturedLog {
  const written: string[] = [];
  return {
    write: (line) => void written.push(line),
    dropped: 0,
    close: () => Promise.resolve(),
    get lines() {
      return written.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    get text() {
      return written.join('');
    },
  };
}
