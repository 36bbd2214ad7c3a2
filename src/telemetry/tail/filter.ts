import type { EventRecord } from '../../observing/events.js';

/** What a follower wants to see; everything named must match, and of a list one. */
export interface TailFilter {
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

/** Query parameter of each filter, the same as the long option of `tightbeam tail`. */
export const TAIL_PARAMETERS = {
  'client-id': 'clientIds',
  reason: 'reasons',
  'event-type': 'eventTypes',
  'principal-id': 'principalIds',
  topic: 'topics',
  'trace-id': 'traceIds',
} as const satisfies Record<string, keyof TailFilter>;

/** Most values that one filter may list: a follower must not make every event expensive. */
const MOST_VALUES = 64;

/** @throws RangeError naming the parameter that is not known or lists too much. */
export function readTailFilter(query: URLSearchParams): TailFilter {
  const filter: Record<string, unknown> = {};
  for (const name of new Set(query.keys())) {
    if (name === 'failures') {
      filter['failures'] = query.get(name) !== 'false';
      continue;
    }
    const key = Object.hasOwn(TAIL_PARAMETERS, name)
      ? TAIL_PARAMETERS[name as keyof typeof TAIL_PARAMETERS]
      : undefined;
    if (key === undefined) throw new RangeError(`There is no filter ${JSON.stringify(name)}.`);
    const values = query.getAll(name);
    if (values.length > MOST_VALUES) throw new RangeError(`${name} is given more than ${MOST_VALUES} times.`);
    filter[key] = values;
  }
  return filter;
}

/** Query of a filter: `readTailFilter` the other way. */
export function writeTailFilter(filter: TailFilter): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, key] of Object.entries(TAIL_PARAMETERS))
    for (const value of filter[key] ?? []) query.append(name, value);
  if (filter.failures === true) query.set('failures', 'true');
  return query;
}

/** The filter as a test of records. */
export function tailMatcher(filter: TailFilter): (record: EventRecord) => boolean {
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
