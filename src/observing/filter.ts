import type { EventRecord } from './events.js';
import { MOST_EVENTS } from './recent.js';

/** Which records somebody wants to see; everything named must match, and of a list one. */
export interface EventFilter {
  /** Sender or receiver. `*` stands for any number of characters. */
  readonly clientIds?: readonly string[];
  /** `reason`, or for a Disconnect its `disconnectReason`. */
  readonly reasons?: readonly string[];
  readonly eventTypes?: readonly string[];
  readonly principalIds?: readonly string[];
  /** Topic names; `*` stands for any number of characters. */
  readonly topics?: readonly string[];
  readonly traceIds?: readonly string[];
  /** Only what failed. */
  readonly failures?: boolean;
}

/** What somebody who reads events asks for. */
export interface EventQuery {
  readonly filter: EventFilter;
  /** Of the records that match and are still in memory, at most so many, the latest. Neither this nor `since`: none. */
  readonly last?: number;
  /** Those from this moment on, in milliseconds since 1970. */
  readonly since?: number;
  /** Whether it goes on with what happens from now on. */
  readonly follow: boolean;
}

/** Query parameter of each filter, the same as the long option of `tightbeam tail`. */
export const FILTER_PARAMETERS = {
  'client-id': 'clientIds',
  reason: 'reasons',
  'event-type': 'eventTypes',
  'principal-id': 'principalIds',
  topic: 'topics',
  'trace-id': 'traceIds',
} as const satisfies Record<string, keyof EventFilter>;

/** Most values that one filter may list: a reader must not make every event expensive. */
const MOST_VALUES = 64;

/**
 * Reads a query by its parameters.
 *
 * @param now milliseconds since 1970, for a `since` that is a duration
 * @throws RangeError naming the parameter that is not known, lists too much, or has no such value.
 */
export function readEventQuery(parameters: ReadonlyMap<string, readonly string[]>, now: number): EventQuery {
  const filter: Record<string, unknown> = {};
  const query: { last?: number; since?: number; follow: boolean } = { follow: true };
  for (const [name, values] of parameters) {
    const key = Object.hasOwn(FILTER_PARAMETERS, name)
      ? FILTER_PARAMETERS[name as keyof typeof FILTER_PARAMETERS]
      : undefined;
    if (key !== undefined) {
      if (values.length > MOST_VALUES) throw new RangeError(`${name} is given more than ${MOST_VALUES} times.`);
      filter[key] = values;
      continue;
    }
    const [value = '', ...others] = values;
    if (others.length > 0) throw new RangeError(`${name} is given more than once.`);
    if (name === 'failures') filter['failures'] = readFlag(name, value);
    else if (name === 'follow') query.follow = readFlag(name, value);
    else if (name === 'last') query.last = readLast(value);
    else if (name === 'since') query.since = readMoment(value, now);
    else throw new RangeError(`There is no parameter ${JSON.stringify(name)}.`);
  }
  return { filter, ...query };
}

function readFlag(name: string, text: string): boolean {
  if (text !== 'true' && text !== 'false') throw new RangeError(`${name} is neither true nor false.`);
  return text === 'true';
}

/** @throws RangeError */
export function readLast(text: string): number {
  const number = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (!(number <= MOST_EVENTS)) throw new RangeError(`last is not a whole number from 0 to ${MOST_EVENTS}.`);
  return number;
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A moment as text: how long ago (`90s`, `10m`, `2h`, `1d`), or RFC 3339. @throws RangeError */
export function readMoment(text: string, now: number): number {
  const [, amount, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (amount !== undefined) return now - Number(amount) * UNITS[unit as keyof typeof UNITS];
  const moment = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN;
  if (!Number.isNaN(moment)) return moment;
  throw new RangeError('since is neither a duration (90s, 10m, 2h, 1d) nor a moment (2026-11-21T03:00:00Z).');
}

/** Query of a filter: `readEventQuery` the other way. */
export function writeEventFilter(filter: EventFilter): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, key] of Object.entries(FILTER_PARAMETERS))
    for (const value of filter[key] ?? []) query.append(name, value);
  if (filter.failures === true) query.set('failures', 'true');
  return query;
}

/** The filter as a test of records. */
export function eventMatcher(filter: EventFilter): (record: EventRecord) => boolean {
  const clientId = oneOf(filter.clientIds, pattern);
  const topic = oneOf(filter.topics, pattern);
  const reason = oneOf(filter.reasons, exactly);
  const eventType = oneOf(filter.eventTypes, exactly);
  const principalId = oneOf(filter.principalIds, exactly);
  const traceId = oneOf(filter.traceIds, exactly);
  return (record) =>
    (filter.failures !== true || record.status === 'Failure') &&
    (clientId(record.clientId) || (filter.clientIds !== undefined && clientId(record.targetClientId))) &&
    (reason(record.reason) || (filter.reasons !== undefined && reason(record.disconnectReason))) &&
    eventType(record.eventType) &&
    principalId(record.principalId) &&
    topic(record.topicName) &&
    traceId(record.traceId);
}

type Test = (value: string | undefined) => boolean;

function oneOf(wanted: readonly string[] | undefined, test: (wanted: string) => Test): Test {
  if (wanted === undefined) return () => true;
  const tests = wanted.map(test);
  return (value) => tests.some((matches) => matches(value));
}

const exactly = (wanted: string): Test => {
  const upper = wanted.toUpperCase();
  return (value) => value?.toUpperCase() === upper;
};

/** `*` as in a shell. Matched part by part, so that no pattern takes more than linear time a star. */
function pattern(wanted: string): Test {
  const [first = '', ...rest] = wanted.split('*');
  if (rest.length === 0) return (value) => value === wanted;
  const last = rest.pop() ?? '';
  return (value) => {
    if (value === undefined || !value.startsWith(first) || !value.endsWith(last)) return false;
    let from = first.length;
    const end = value.length - last.length;
    for (const part of rest) {
      const at = value.indexOf(part, from);
      if (at < 0) return false;
      from = at + part.length;
    }
    return from <= end;
  };
}
