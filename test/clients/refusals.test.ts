import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ReceiverRefusals } from '../../src/clients/refusals.js';
import { RecordedEvents } from '../fakes.js';
import { denied, device } from '../telemetry/samples.js';

const ADDRESS = { targetClientId: 'lock-17', topic: 'cmd/open' };
const refusal = (traceId: string) =>
  ({ identity: device, traceId, topicName: 'cmd/open', reason: 'RECEIVER_NOT_AUTHORIZED', decision: denied }) as const;

describe('a receiver that was refused', () => {
  let events: RecordedEvents;
  let refusals: ReceiverRefusals;
  beforeEach(() => {
    jest.useFakeTimers();
    events = new RecordedEvents();
    refusals = new ReceiverRefusals(events);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is told under the trace of the message, which learns by what it was refused', () => {
    refusals.add(ADDRESS, refusal('of the hook'));
    expect(events.told).toEqual([]);
    expect(refusals.settle(ADDRESS, 'of the message')).toBe(denied);
    expect(events.told).toMatchObject([{ eventType: 'Receive', traceId: 'of the message' }]);
    jest.advanceTimersByTime(10_000);
    expect(events.told).toHaveLength(1);
  });

  it('is told under a trace of its own where no outcome comes', () => {
    refusals.add(ADDRESS, refusal('of the hook'));
    jest.advanceTimersByTime(2_000);
    expect(events.told).toMatchObject([{ eventType: 'Receive', traceId: 'of the hook' }]);
  });

  it('gives each of several messages a line of its own, and the later ones the decision that the broker remembers', () => {
    refusals.add(ADDRESS, refusal('first'));
    refusals.add(ADDRESS, refusal('second'));
    for (const trace of ['a', 'b', 'c']) expect(refusals.settle(ADDRESS, trace)).toBe(denied);
    expect(events.told.map(({ traceId }) => traceId)).toEqual(['a', 'b']);
    expect(refusals.settle({ ...ADDRESS, topic: 'other' }, 'd')).toBeUndefined();
  });

  it('is told when the service ends', () => {
    refusals.add(ADDRESS, refusal('of the hook'));
    refusals.close();
    expect(events.told).toHaveLength(1);
  });
});
