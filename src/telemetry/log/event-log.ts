import { pino } from 'pino';
import type { Diagnostics } from '../diagnostics.js';
import type { Events, ServiceEvents } from '../events.js';
import { openFileDestination, type LogDestination } from './destination.js';
import { createLogFilter, type EventType, type LogLevel } from './levels.js';
import {
  brokerConnectionRecord,
  clientRecord,
  directMessageRecord,
  disconnectRecord,
  operationRecord,
  policyReloadRecord,
  type LogRecord,
} from './record.js';

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
  readonly tap?: RecordTap;
}

/** Somebody else who reads the records. */
export interface RecordTap {
  /** `timestamp` is absent where it happened just now. */
  take(
    record: LogRecord & {
      readonly accountId: string;
      readonly logLevel: 'INFO' | 'ERROR';
      readonly timestamp?: string;
    },
  ): void;
}

/** The log: one JSON line an event. */
export interface EventLog extends Events, ServiceEvents {
  readonly diagnostics: Diagnostics;
  /** Lines lost because the reader of the log was too slow or gone. Lines left out by level or sampling are not. */
  readonly dropped: number;
  /** Writes what is buffered and ends. Lines after it are lost. */
  close(): Promise<void>;
}

const DIAGNOSTIC_LEVELS = { info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

export function createEventLog(options: EventLogOptions): EventLog {
  const filter = createLogFilter({
    level: options.level ?? 'INFO',
    successRatio: options.successRatio ?? 1,
    ...(options.eventLevels === undefined ? {} : { eventLevels: options.eventLevels }),
  });
  const destination = options.destination ?? openFileDestination();
  /** When what the line says happened, where that is not now: while that line is written. */
  let happenedAt: string | undefined;
  const logger = pino(
    {
      level: 'debug',
      base: null,
      timestamp: () => `,"timestamp":"${happenedAt ?? new Date().toISOString()}"`,
      formatters: { level: (label) => ({ logLevel: label.toUpperCase() }) },
    },
    destination,
  );
  const { accountId, tap } = options;

  const write = (event: LogRecord, sampling = true): void => {
    const record = { accountId, ...event };
    const failed = record.status === 'Failure';
    const logLevel = failed ? 'ERROR' : 'INFO';
    tap?.take({ ...record, logLevel, ...(happenedAt !== undefined && { timestamp: happenedAt }) });
    if (!filter.passesLevel(logLevel, record.eventType)) return;
    if (failed) logger.error(record);
    else if (!sampling || filter.sampled(record.traceId)) logger.info(record);
  };
  // The service's own events are rare and each of them matters: they are not sampled.
  const writeUnsampled = (record: LogRecord): void => {
    write(record, false);
  };

  return {
    directMessage: (event) => {
      happenedAt = event.endedAt === undefined ? undefined : new Date(event.endedAt).toISOString();
      try {
        write(directMessageRecord(event));
      } finally {
        happenedAt = undefined;
      }
    },
    connect: (event) => {
      write(clientRecord('Connect', event));
    },
    disconnect: (event) => {
      write(disconnectRecord(event));
    },
    subscribe: (event) => {
      write(clientRecord('Subscribe', event));
    },
    publishIn: (event) => {
      write(clientRecord('Publish-In', event));
    },
    unsubscribe: (event) => {
      write(clientRecord('Unsubscribe', event));
    },
    publishOut: (event) => {
      write(clientRecord('Publish-Out', event));
    },
    operation: (event) => {
      write(operationRecord(event));
    },
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
    policyReload: (event) => {
      writeUnsampled(policyReloadRecord(event));
    },
    brokerConnection: (event) => {
      writeUnsampled(brokerConnectionRecord(event));
    },
    get dropped() {
      return destination.dropped;
    },
    close: () => destination.close(),
  };
}
