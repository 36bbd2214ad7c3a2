import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Answer, Outgoing } from '../../../src/brokers/link/answer.js';
import { BrokerConnection } from '../../../src/brokers/link/broker-connection.js';
import type { ConnectionState } from '../../../src/brokers/link/purpose.js';
import { ScriptedBroker, type Received } from './scripted-broker.js';

const MESSAGE: Outgoing = {
  topic: 'a/b',
  payload: Buffer.from('now'),
  qos: 1,
  retain: false,
  properties: {},
  timeoutMs: 10_000,
};

let broker: ScriptedBroker;
let connection: BrokerConnection;
let told: [ConnectionState, string][];
let left: number;
let onState: () => void;

beforeEach(async () => {
  broker = await ScriptedBroker.start();
  [told, left, onState] = [[], 0, () => undefined];
  connection = new BrokerConnection({
    url: broker.url,
    username: 'tightbeam',
    purpose: { clientIdPrefix: 'test', examine: () => Promise.resolve({ state: 'ready', details: 'connected' }) },
    onState: (...state) => {
      told.push(state);
      onState();
    },
    onFree: () => undefined,
    onOwing: () => undefined,
    onLeft: () => {
      left += 1;
    },
  });
  await state('ready');
});
afterEach(async () => {
  jest.useRealTimers();
  await connection.close();
  await broker.stop();
});

async function state(wanted: ConnectionState): Promise<void> {
  while (connection.state !== wanted) await new Promise<void>((resolve) => (onState = resolve));
}

/** Publishes; settles when the broker has it. */
async function publish(outgoing = MESSAGE): Promise<{ answer: Promise<Answer>; held: Received }> {
  const held = new Promise<Received>((resolve) => (broker.onPublish = resolve));
  const answer = connection.publish(outgoing);
  return { answer, held: await held };
}

describe('a connection that leaves', () => {
  test('takes nothing more, waits for the answers in flight, and does not come back', async () => {
    const { answer, held } = await publish();
    connection.leave('not needed');
    expect(connection.free).toBe(0);
    expect(left).toBe(0);
    held.puback(0x97);
    expect(await answer).toMatchObject({ code: 0x97 });
    expect(left).toBe(1);
    expect(told.map(([now]) => now)).toEqual(['ready', 'down']);
    expect(broker.connects).toBe(1);
  });

  test('is gone with its network connection', async () => {
    const { answer, held } = await publish();
    connection.leave('not needed');
    held.drop();
    expect(await answer).toBe('lost');
    expect(left).toBe(1);
  });
});

describe('an answer that is owed', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask', 'performance', 'Date'] });
  });

  test('is waited for a second past the deadline, and then takes its place in the window until it comes', async () => {
    const places = connection.free;
    const { answer, held } = await publish();
    jest.advanceTimersByTime(MESSAGE.timeoutMs);
    expect([connection.owing, connection.inFlight]).toEqual([false, 1]);
    jest.advanceTimersByTime(1_000);
    expect(await answer).toBe('overdue');
    expect([connection.owing, connection.inFlight, connection.free]).toEqual([true, 0, places - 1]);
    const freed = state('down');
    held.puback(0);
    held.drop();
    await freed;
    expect(left).toBe(0);
  });

  test('for 16 seconds is given up: the connection leaves, and not before', async () => {
    const { answer } = await publish();
    jest.advanceTimersByTime(MESSAGE.timeoutMs);
    jest.advanceTimersByTime(1_000);
    expect(await answer).toBe('overdue');
    jest.advanceTimersByTime(15_999);
    expect(connection.state).toBe('ready');
    jest.advanceTimersByTime(1);
    expect(told.at(-1)).toEqual(['down', expect.stringContaining('owes')]);
    expect(left).toBe(1);
  });

  test('that came in time to be counted keeps the connection', async () => {
    const late = await publish();
    jest.advanceTimersByTime(MESSAGE.timeoutMs);
    jest.advanceTimersByTime(1_000);
    expect(await late.answer).toBe('overdue');
    late.held.puback(0);
    const next = await publish();
    next.held.puback(0);
    expect(await next.answer).toMatchObject({ code: 0 });
    expect(connection.owing).toBe(false);
    jest.advanceTimersByTime(16_000);
    expect(connection.state).toBe('ready');
  });
});
