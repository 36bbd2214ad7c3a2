import type { EventType } from '../../observing/events.js';

/** Levels as AWS IoT names them; `DISABLED` is a threshold that nothing reaches. */
export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR', 'DISABLED'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogFilterOptions {
  /** Threshold for every line whose event type has none of its own. */
  readonly level: LogLevel;
  /** Thresholds of single event types. `DISABLED` switches one off. */
  readonly eventLevels?: Readonly<Partial<Record<EventType, LogLevel>>>;
  /**
   * Share of success lines that are written, 0..1. Failures are always written. The trace id decides, so the lines of
   * one message stay or go together, on every replica alike.
   */
  readonly successRatio: number;
}

export interface LogFilter {
  /** Whether a line of the service itself is written. */
  passesLevel(level: LogLevel, eventType?: EventType): boolean;
  /** Whether a success with this trace id belongs to the sample. */
  sampled(traceId: string): boolean;
}

export function createLogFilter(options: LogFilterOptions): LogFilter {
  const rank = (level: LogLevel): number => LOG_LEVELS.indexOf(level);
  const general = rank(options.level);
  const own = new Map<string, number>(
    Object.entries(options.eventLevels ?? {}).map(([type, level]) => [type, rank(level)]),
  );
  const bound = options.successRatio * 2 ** 32;
  return {
    passesLevel(level, eventType) {
      return rank(level) >= ((eventType === undefined ? undefined : own.get(eventType)) ?? general);
    },
    sampled(traceId) {
      // W3C Trace Context level 2 asks for randomness in the last 7 bytes; the last 4 are plenty here.
      return options.successRatio >= 1 || parseInt(traceId.slice(-8), 16) < bound;
    },
  };
}
