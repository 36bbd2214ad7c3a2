import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { runs } from '../../long.js';
import { World } from './world.js';

/** Everything that can happen to deliveries with an identity, in the words of the world. */
type Step =
  | {
      readonly do: 'send';
      readonly as: 'service' | 'client';
      readonly id: string;
      readonly timeoutMs: number;
      readonly qos: 0 | 1;
    }
  | { readonly do: 'answer'; readonly which: number; readonly code: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'connect'; readonly window: number }
  | { readonly do: 'disconnect' }
  | { readonly do: 'fill'; readonly ordinary: number }
  | { readonly do: 'leave'; readonly as: 'service' | 'client' }
  | { readonly do: 'session'; readonly there: boolean }
  | { readonly do: 'slow'; readonly slow: boolean };

const as = fc.constantFrom('service', 'client');
/** Of few identities, each of one QoS, so that repeats meet. */
const identity = fc.constantFrom(
  { id: 'a', qos: 1 },
  { id: 'a', qos: 1 },
  { id: 'b', qos: 1 },
  { id: 'c', qos: 1 },
  { id: 'd', qos: 0 },
);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc
      .record({ as, identity, timeoutMs: fc.constantFrom(1, 500, 1000, 5000, 15_000) })
      .map(({ identity: one, ...rest }) => ({ do: 'send' as const, ...rest, ...one })),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('answer'),
      which: fc.nat(3),
      code: fc.constantFrom(0, 0, 0x10, 0x80, 0x97),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('wait'), ms: fc.constantFrom(0, 1, 3, 600, 1500, 6000, 16_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('connect'), window: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('disconnect') }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('fill'), ordinary: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave'), as }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('session'), there: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('slow'), slow: fc.boolean() }) },
);

beforeEach(() => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] });
});
afterEach(() => {
  jest.useRealTimers();
});

async function take(world: World, one: Step): Promise<void> {
  switch (one.do) {
    case 'send':
      world.send(one.as, one.id, one.timeoutMs, one.qos);
      break;
    case 'answer':
      world.answer(one.which, one.code);
      break;
    case 'wait':
      await jest.advanceTimersByTimeAsync(one.ms);
      break;
    case 'connect':
      world.connect(one.window);
      break;
    case 'disconnect':
      world.disconnect();
      break;
    case 'fill':
      if (world.device !== undefined) world.device.ordinary = one.ordinary;
      break;
    case 'leave':
      world.leave(one.as);
      break;
    case 'session':
      world.hasSession = one.there;
      break;
    case 'slow':
      world.slow = one.slow;
  }
}

test('whatever happens in whatever order: one PUBLISH an identity, no success without a PUBACK, one answer each, no place taken from others', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), fc.boolean(), async (steps, stopping) => {
      const world = new World();
      world.connect(2);
      for (const one of steps) await take(world, one);
      if (stopping) world.stop();
      await jest.advanceTimersByTimeAsync(20_000);
      world.expectNothingOpen();
    }),
    { numRuns: runs(300, 20_000) },
  );
});

test('the world sees what it looks for: a second PUBLISH, a success without a PUBACK, a second answer', () => {
  const world = new World();
  world.connect(1);
  const connection = world.device;
  if (connection === undefined) throw new Error('There is no device.');
  const written = { id: 'a', qos: 1, packetId: 1, connection, answer: 'none' } as const;
  world.onWritten({ ...written });
  expect(() => {
    world.onWritten({ ...written });
  }).toThrow('twice');
  const sent = { id: 'a', qos: 1, at: performance.now(), timeoutMs: 1000, answered: false } as const;
  expect(() => {
    world.onAnswer({ ...sent }, 0);
  }).toThrow('has not acknowledged');
  expect(() => {
    world.onAnswer({ ...sent, answered: true }, 0x80);
  }).toThrow('twice');
});
