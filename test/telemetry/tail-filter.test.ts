import { describe, expect, it } from '@jest/globals';
import type { EventRecord } from '../../src/observing/events.js';
import { readTailFilter, tailMatcher, writeTailFilter, type TailFilter } from '../../src/telemetry/tail/filter.js';
import { TRACE_ID } from './samples.js';

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
  it.each<[TailFilter, boolean]>([
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
    expect(tailMatcher(filter)(record)).toBe(taken);
  });

  it('finds a disconnect by its own reason', () => {
    expect(tailMatcher({ reasons: ['CONNECTION_LOST'] })(disconnect)).toBe(true);
    expect(tailMatcher({ failures: true })(disconnect)).toBe(false);
    expect(tailMatcher({ topics: ['a'] })(disconnect)).toBe(false);
  });

  it('is the same after its way through a query', () => {
    const filter: TailFilter = {
      clientIds: ['a&b=c', 'ü*'],
      reasons: ['DELIVERED'],
      eventTypes: ['Connect'],
      principalIds: ['p'],
      topics: ['a/b'],
      traceIds: [TRACE_ID],
      failures: true,
    };
    expect(readTailFilter(new URLSearchParams(writeTailFilter(filter).toString()))).toEqual(filter);
    expect(readTailFilter(writeTailFilter({}))).toEqual({});
  });
});
