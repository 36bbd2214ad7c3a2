import { pino } from 'pino';
import type { Diagnostics } from '../../observing/diagnostics.js';
import { rowOf, type AnyEvent, type Events, type EventType, type ProcessEvents } from '../../observing/events.js';
import type { RecentEvents } from '../../observing/recent.js';
import { newTraceId } from '../../observing/trace-id.js';
import { openFileDestination, type LogDestination } from './destination.js';
import { createLogFilter, type LogFilterOptions, type LogLevel } from './levels.js';

export interface EventLogOptions {
  /** AWS account id as it stands in ARNs and in every line. */
  readonly accountId: string;
  /** Least level written. Default INFO. */
  readonly level?: LogLevel;
  /** Thresholds of single event types, before the general one. */
  readonly eventLevels?: Readonly<Partial<Record<EventType, LogLevel>>>;
  /** Share of success lines written, 0..1, chosen by trace id; failures are always written. Default 1. */
  readonly successRatio?: number;
  /** Default: standard output, asynchronous, with a bounded buffer. */
  readonly destination?: LogDestination;
  /** Sees every record, also those that level or sampling leave out of the log. */
  readonly tap?: Pick<RecentEvents, 'take'>;
}

/** The log: one JSON line an event. */
export interface EventLog extends Events, ProcessEvents {
  readonly diagnostics: Diagnostics;
  /** Other levels and another share of successes from now on. */
  replaceFilter(options: LogFilterOptions): void;
  /** Lines lost because the reader of the log was too slow or gone. Lines left out by level or sampling are not. */
  readonly dropped: number;
  /** Writes what is buffered and ends. Lines after it are lost. */
  close(): Promise<void>;
}

/** The second of the latest line, as lines have it up to the milliseconds: lines come by the thousand for each. */
let latest = { second: NaN, text: '' };

/** A moment of milliseconds since 1970, as lines have it. */
function timestampOf(moment: number): string {
  const second = Math.floor(moment / 1000);
  if (second !== latest.second) latest = { second, text: new Date(second * 1000).toISOString().slice(0, -4) };
  return `${latest.text}${String(Math.floor(moment) - second * 1000).padStart(3, '0')}Z`;
}

const DIAGNOSTIC_LEVELS = { info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

export function createEventLog(options: EventLogOptions): EventLog {
  let filter = createLogFilter({
    level: options.level ?? 'INFO',
    successRatio: options.successRatio ?? 1,
    ...(options.eventLevels === undefined ? {} : { eventLevels: options.eventLevels }),
  });
  const destination = options.destination ?? openFileDestination();
  const logger = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"timestamp":"${timestampOf(Date.now())}"`,
      formatters: { level: (label) => ({ logLevel: label.toUpperCase() }) },
    },
    destination,
  );
  const { tap } = options;
  const account = JSON.stringify(options.accountId);

  /**
   * Writes the record of an event, if anybody wants it: whether it passes is known before it is made. A record is flat
   * and its lines are many, so JSON.stringify writes it: twice as quick as the logger, which is for any object.
   */
  function tell(type: EventType, event: AnyEvent): void {
    const row = rowOf(type);
    const failed = row.failed(event);
    const level = failed ? 'ERROR' : 'INFO';
    const traceId = event.traceId ?? newTraceId();
    const logged = filter.passesLevel(level, type) && (failed || !row.sampled || filter.sampled(traceId));
    if (!logged && tap === undefined) return;
    const at = event.endedAt ?? Date.now();
    const facts = row.record(event, traceId);
    const timestamp = timestampOf(at);
    const head = `{"logLevel":"${level}","timestamp":"${timestamp}","accountId":${account},"eventType":"${type}",`;
    const line = `${head}${JSON.stringify(facts).slice(1)}\n`;
    tap?.take({ at, record: { eventType: type, ...facts }, line });
    if (logged) destination.write(line);
  }

  return {
    tell,
    lifecycle: (msg, fields) => {
      // Past every level: whoever starts the process waits for `ready`.
      logger.info({ ...fields }, msg);
    },
    fault: (msg, error) => {
      const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
      if (filter.passesLevel('ERROR')) logger.error({ details }, msg);
    },
    diagnostics: (level, message, fields) => {
      if (filter.passesLevel(DIAGNOSTIC_LEVELS[level])) logger[level]({ ...fields }, message);
    },
    replaceFilter: (replacement) => {
      filter = createLogFilter(replacement);
    },
    get dropped() {
      return destination.dropped;
    },
    close: () => destination.close(),
  };
}
