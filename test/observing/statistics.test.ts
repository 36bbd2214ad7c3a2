import { expect, test } from '@jest/globals';
import type { DirectMessageEvent } from '../../src/observing/events.js';
import { HourStatistics } from '../../src/observing/statistics.js';

let now = 0;

function message(reason: DirectMessageEvent['reason'], durationMs: number): DirectMessageEvent {
  const sender = { protocol: 'HTTP' } as const;
  return { traceId: 'a', sender, message: { targetClientId: 'lock-1', topic: 'cmd' }, reason, durationMs };
}

function fresh(): HourStatistics {
  now = 1_700_000_000_000;
  return new HourStatistics(() => now);
}

test('latencies are told by reason, for the hour and for each step', () => {
  const statistics = fresh();
  for (let count = 0; count < 98; count += 1) statistics.tell('SendDirectMessage', message('DELIVERED', 2));
  statistics.tell('SendDirectMessage', message('PUBACK_TIMEOUT', 5000));
  statistics.tell('SendDirectMessage', message('PUBACK_TIMEOUT', 60_000));
  const { reasons, steps } = statistics.report();
  expect(reasons.map(({ reason, count }) => [reason, count])).toEqual([
    ['DELIVERED', 98],
    ['PUBACK_TIMEOUT', 2],
  ]);
  expect(reasons[0]?.p50Ms).toBeGreaterThan(1);
  expect(reasons[0]?.p50Ms).toBeLessThanOrEqual(2.5);
  expect(steps).toMatchObject([{ at: '2023-11-14T22:13:20.000Z', count: 100, succeeded: 98 }]);
  expect(steps[0]?.p99Ms).toBeGreaterThan(2500);
});

test('connects, refusals and disconnects are counted', () => {
  const statistics = fresh();
  const identity = { protocol: 'MQTT', clientId: 'lock-1' } as const;
  statistics.tell('Connect', { identity });
  statistics.tell('Connect', { identity, reason: 'INVALID_CREDENTIALS' });
  statistics.tell('Disconnect', { identity, disconnectReason: 'normal' });
  expect(statistics.report().steps).toMatchObject([{ count: 0, connects: 1, refused: 1, disconnects: 1 }]);
});

test('what is older than an hour is forgotten, and no more than its steps are kept', () => {
  const statistics = fresh();
  for (let step = 0; step < 1000; step += 1) {
    statistics.tell('SendDirectMessage', message('DELIVERED', 1));
    now += 10_000;
  }
  expect(statistics.report().steps.length).toBeLessThanOrEqual(360);
  now += 3_600_000;
  expect(statistics.report()).toMatchObject({ reasons: [], steps: [] });
});
