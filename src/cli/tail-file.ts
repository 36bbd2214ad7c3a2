import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { EventRecord } from '../observing/events.js';
import { eventMatcher, readMoment, type EventFilter } from '../observing/filter.js';
import { printRecord, type Terminal } from './tail.js';

export interface FileOptions {
  /** A log; `-` for standard input. */
  readonly file: string;
  readonly json?: true;
  readonly last?: number;
  readonly since?: string;
}

type LogRecord = EventRecord & { readonly timestamp: string };

/**
 * Prints the events that a log has, as they are printed of a running service. What stands before a record on its line
 * (`docker compose logs` writes the name of the service there) and lines that are no events are left out.
 *
 * @throws Error where the file cannot be read.
 */
export async function printFile(options: FileOptions, filter: EventFilter, terminal: Terminal): Promise<void> {
  const wanted = eventMatcher(filter);
  const since = options.since === undefined ? -Infinity : readMoment(options.since, Date.now());
  const latest: string[] = [];
  const input = options.file === '-' ? process.stdin : createReadStream(options.file);
  for await (const text of createInterface({ input, crlfDelay: Infinity })) {
    const line = text.slice(Math.max(text.indexOf('{'), 0));
    const record = recordOf(line);
    if (record === undefined || Date.parse(record.timestamp) < since || !wanted(record)) continue;
    if (options.last === undefined) {
      await printRecord(options.json === true ? line : record, terminal);
      continue;
    }
    latest.push(line);
    if (latest.length > options.last) latest.shift();
  }
  for (const line of latest) {
    const record = recordOf(line);
    if (record !== undefined) await printRecord(options.json === true ? line : record, terminal);
  }
}

function recordOf(line: string): LogRecord | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const record = JSON.parse(line) as Partial<LogRecord>;
    return typeof record.eventType === 'string' && typeof record.timestamp === 'string'
      ? (record as LogRecord)
      : undefined;
  } catch {
    return undefined;
  }
}
