import { describe, expect, it } from '@jest/globals';
import type { EventRecord } from '../../src/observing/events.js';
import { readEventQuery, eventMatcher, writeEventFilter, type EventFilter } from '../../src/observing/filter.js';
import { TRACE_ID } from '../telemetry/samples.js';

const record: EventRecord = {
  traceId: TRACE_ID,
  status: 'Failure',
  eventType: 'SendDirectMessage',
  clientId: 'app-1',
  targetClientId: 'lock-17',
  principalId: 'backend',
  topicName: 'locks/17/open',
  reason: 'PUBACK_TIMEOUT',
};
const disconnect: EventRecord = {
  traceId: TRACE_ID,
  status: 'Success',
  eventType: 'Disconnect',
  clientId: 'lock-17',
  disconnectReason: 'CONNECTION_LOST',
};

describe('the filter of a follower', () => {
  it.each<[EventFilter, boolean]>([
    [{}, true],
    [{ clientIds: ['lock-17'] }, true],
    [{ clientIds: ['app-1'] }, true],
    [{ clientIds: ['lock-1'] }, false],
    [{ clientIds: ['lock-*'] }, true],
    [{ clientIds: ['*-1*'] }, true],
    [{ clientIds: ['other', '*'] }, true],
    [{ clientIds: ['lock-17*7'] }, false],
    [{ reasons: ['puback_timeout', 'DELIVERED'] }, true],
    [{ reasons: ['DELIVERED'] }, false],
    [{ eventTypes: ['senddirectmessage'] }, true],
    [{ principalIds: ['backend'] }, true],
    [{ topics: ['locks/*/open'] }, true],
    [{ topics: ['locks/*/close'] }, false],
    [{ traceIds: [TRACE_ID] }, true],
    [{ failures: true }, true],
    [{ failures: true, clientIds: ['other'] }, false],
  ])('%j takes a timeout: %s', (filter, taken) => {
    expect(eventMatcher(filter)(record)).toBe(taken);
  });

  it('finds a disconnect by its own reason', () => {
    expect(eventMatcher({ reasons: ['CONNECTION_LOST'] })(disconnect)).toBe(true);
    expect(eventMatcher({ failures: true })(disconnect)).toBe(false);
    expect(eventMatcher({ topics: ['a'] })(disconnect)).toBe(false);
  });

  it('is the same after its way through a query', () => {
    const filter: EventFilter = {
      clientIds: ['a&b=c', 'ü*'],
      reasons: ['DELIVERED'],
      eventTypes: ['Connect'],
      principalIds: ['p'],
      topics: ['a/b'],
      traceIds: [TRACE_ID],
      failures: true,
    };
    expect(readEventQuery(parametersOf(writeEventFilter(filter)), 0).filter).toEqual(filter);
    expect(readEventQuery(parametersOf(writeEventFilter({})), 0)).toEqual({ filter: {}, follow: true });
  });
});

function parametersOf(query: URLSearchParams): ReadonlyMap<string, readonly string[]> {
  return new Map([...query.keys()].map((name) => [name, query.getAll(name)]));
}

describe('the query of a reader', () => {
  const NOW = Date.UTC(2026, 10, 21, 12);
  const read = (text: string) => readEventQuery(parametersOf(new URLSearchParams(text)), NOW);

  it.each([
    ['last=5', { last: 5 }],
    ['since=90s', { since: NOW - 90_000 }],
    ['since=2h', { since: NOW - 7_200_000 }],
    ['since=2026-11-21T11:00:00Z', { since: NOW - 3_600_000 }],
    ['follow=false', { follow: false }],
  ])('understands %s', (text, part) => {
    expect(read(text)).toMatchObject(part);
  });

  it.each([
    ['last=10001', 'last is not a whole number from 0 to 10000'],
    ['last=-1', 'last is not'],
    ['since=yesterday', 'since is neither a duration'],
    ['since=90s&since=1d', 'since is given more than once'],
    ['follow=no', 'follow is neither true nor false'],
    ['colour=red', 'There is no parameter "colour"'],
  ])('refuses %s, and says why', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});
