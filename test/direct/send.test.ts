import { describe, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';
import { DirectMessaging, type DirectMessagingOptions } from '../../src/direct/send.js';
import type { Identity } from '../../src/identity/identity.js';
import { noTracing } from '../../src/observing/tracing.js';
import { RateLimiter } from '../../src/throttling/rate-limiter.js';
import { fakeAuthorizer } from '../exhook/fakes.js';
import { FakeDelivery, RecordedEvents } from '../fakes.js';

const SENDER: Identity = { protocol: 'HTTP', accessKeyId: 'AKID' };
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const TRACEPARENT = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const TRACE = noTracing.request({ method: 'POST', path: '/', scheme: 'http', traceparent: TRACEPARENT });
const INPUT = { clientId: 'lock-17', topic: 'cmd', payload: Buffer.from('open'), confirmation: 'true' };

type Options = Partial<DirectMessagingOptions> & { readonly denied?: string };

function create({ denied, ...options }: Options = {}) {
  const authorizer = fakeAuthorizer(({ resource }) => resource === denied);
  const [delivery, events] = [new FakeDelivery(), new RecordedEvents()];
  let now = 0;
  const clock = (): number => now;
  const messaging = new DirectMessaging({ authorizer, delivery, events, limits: DEFAULT_LIMITS, clock, ...options });
  const advance = (ms: number): void => {
    now += ms;
  };
  return { authorizer, delivery, events, messaging, advance };
}

test('one message, one event: with sender, target, decision and how long it took', async () => {
  const { delivery, events, messaging, advance } = create();
  delivery.answer = () => {
    advance(42);
    return Promise.resolve('DELIVERED');
  };
  expect(await messaging.send(SENDER, INPUT, TRACE)).toEqual({ reason: 'DELIVERED', written: 'yes' });
  expect(events.direct).toEqual([
    {
      traceId: TRACE_ID,
      sender: SENDER,
      message: { targetClientId: 'lock-17', topic: 'cmd', confirmation: true, payloadBytes: 4 },
      reason: 'DELIVERED',
      written: 'yes',
      durationMs: 42,
      decision: expect.objectContaining({ effect: 'allow', action: 'iot:SendDirectMessage' }),
    },
  ]);
});

test('an invalid request asks nobody and is reported with the rule that it broke', async () => {
  const { authorizer, delivery, events, messaging } = create();
  const outcome = await messaging.send(SENDER, { ...INPUT, topic: undefined }, TRACE);
  const told = { reason: 'INVALID_TOPIC', details: 'The topic is missing or empty.' };
  expect(outcome).toEqual(told);
  expect(events.direct).toMatchObject([{ ...told, message: { topic: '' } }]);
  expect([authorizer.asked, delivery.messages]).toEqual([[], []]);
});

test('a sender who may not send never reaches the delivery', async () => {
  const { delivery, events, messaging } = create({ denied: 'client/lock-17' });
  expect(await messaging.send(SENDER, INPUT, TRACE)).toEqual({ reason: 'SENDER_NOT_AUTHORIZED' });
  expect(delivery.messages).toEqual([]);
  expect(events.direct).toMatchObject([{ reason: 'SENDER_NOT_AUTHORIZED', decision: { cause: 'implicitDeny' } }]);
});

test('a delivery that rejects, though it promised not to, still has an outcome', async () => {
  const { delivery, events, messaging } = create();
  delivery.answer = () => Promise.reject(new Error('boom'));
  expect(await messaging.send(SENDER, INPUT, TRACE)).toEqual({
    reason: 'INTERNAL_ERROR',
    written: 'unknown',
    details: 'Error: boom',
  });
  expect(events.direct).toHaveLength(1);
});

test('the device gets the trace where that is configured', async () => {
  const { delivery, messaging } = create({ propagateTrace: true });
  const userProperties = Buffer.from('[{"a":"b"}]').toString('base64');
  await messaging.send(SENDER, { ...INPUT, userProperties }, TRACE);
  expect(delivery.messages[0]).toMatchObject({
    properties: { userProperties: [['a', 'b']] },
    trace: { traceparent: TRACEPARENT, reachesDevice: true },
  });
});

test('a trace that the sender gives the device itself is left alone', async () => {
  const { delivery, messaging } = create({ propagateTrace: true });
  const userProperties = Buffer.from('[{"traceparent":"theirs"}]').toString('base64');
  await messaging.send(SENDER, { ...INPUT, userProperties }, TRACE);
  expect(delivery.messages[0]?.properties.userProperties).toEqual([['traceparent', 'theirs']]);
  expect(delivery.messages[0]?.trace).toBeUndefined();
});

test('the broker gets the trace, and the device does not, where that is not configured', async () => {
  const { delivery, messaging } = create();
  await messaging.send(SENDER, INPUT, TRACE);
  expect(delivery.messages[0]?.trace).toEqual({ traceparent: TRACEPARENT, reachesDevice: false });
  expect(delivery.messages[0]?.properties.userProperties).toBeUndefined();
});

describe('limits of sending', () => {
  const hold = (delivery: FakeDelivery): (() => void) => {
    let finish = (): void => undefined;
    const finished = new Promise<'DELIVERED'>((resolve) => {
      finish = () => {
        resolve('DELIVERED');
      };
    });
    delivery.answer = () => finished;
    return finish;
  };

  test('no more messages wait for their confirmation than may, and a place that is free again is used', async () => {
    const { delivery, events, messaging } = create({ maxPending: 2 });
    const finish = hold(delivery);
    const waiting = [messaging.send(SENDER, INPUT, TRACE), messaging.send(SENDER, INPUT, TRACE)];
    expect(messaging.pending).toBe(2);
    expect(await messaging.send(SENDER, INPUT, TRACE)).toMatchObject({
      reason: 'ACCOUNT_THROTTLED',
      retryAfterMs: 1000,
    });
    expect(events.direct).toMatchObject([{ reason: 'ACCOUNT_THROTTLED', decision: { effect: 'allow' } }]);
    finish();
    await Promise.all(waiting);
    expect(messaging.pending).toBe(0);
    expect(await messaging.send(SENDER, INPUT, TRACE)).toEqual({ reason: 'DELIVERED', written: 'yes' });
  });

  test('a message without confirmation waits for nothing', async () => {
    const { messaging } = create({ maxPending: 0 });
    expect(await messaging.send(SENDER, { ...INPUT, confirmation: 'false' }, TRACE)).toEqual({
      reason: 'DISPATCHED',
      written: 'yes',
    });
  });

  test('a failed delivery leaves its place', async () => {
    const { delivery, messaging } = create({ maxPending: 1 });
    delivery.answer = () => Promise.reject(new Error('boom'));
    await messaging.send(SENDER, INPUT, TRACE);
    expect(messaging.pending).toBe(0);
  });

  test('each receiver has its own rate, whoever sends', async () => {
    const { delivery, messaging } = create({ perReceiver: new RateLimiter({ perSecond: 1, burst: 1 }, () => 0) });
    await messaging.send(SENDER, INPUT, TRACE);
    const other = await messaging.send({ ...SENDER, accessKeyId: 'other' }, INPUT, TRACE);
    expect(other).toMatchObject({ reason: 'RECEIVER_THROTTLED', retryAfterMs: 1000 });
    expect(await messaging.send(SENDER, { ...INPUT, clientId: 'lock-18' }, TRACE)).toEqual({
      reason: 'DELIVERED',
      written: 'yes',
    });
    expect(delivery.messages).toHaveLength(2);
  });

  test('who may not send to a receiver cannot use up its rate', async () => {
    const { messaging } = create({
      perReceiver: new RateLimiter({ perSecond: 1, burst: 1 }, () => 0),
      denied: 'client/lock-17',
    });
    await messaging.send(SENDER, INPUT, TRACE);
    expect((await messaging.send(SENDER, INPUT, TRACE)).reason).toBe('SENDER_NOT_AUTHORIZED');
  });
});

describe('a request', () => {
  const ASKING = { clientId: 'lock-17', topic: 'cmd', payload: Buffer.from('?'), responseTopic: 'answers/lock-17' };
  const response = { topic: 'answers/lock-17', payload: Buffer.from('open') };
  const answered = (delivery: FakeDelivery): void => {
    delivery.deliver = (message) => {
      delivery.messages.push(message);
      return Promise.resolve({ reason: 'ANSWERED', written: 'yes', response });
    };
  };

  test('is a confirmed message with Correlation Data, and the event has what was waited for', async () => {
    const { delivery, events, messaging } = create();
    answered(delivery);
    expect(await messaging.request(SENDER, ASKING, TRACE)).toEqual({ reason: 'ANSWERED', written: 'yes', response });
    const [message] = delivery.messages;
    expect(message).toMatchObject({ isRequest: true, confirmation: true, timeoutMs: 5_000 });
    expect(message?.properties).toMatchObject({ responseTopic: 'answers/lock-17', correlationData: { length: 16 } });
    expect(events.direct).toMatchObject([{ reason: 'ANSWERED', responseTopic: 'answers/lock-17', responseBytes: 4 }]);
  });

  test('of a caller who may send, and not receive on the response topic, is not sent', async () => {
    const { delivery, events, messaging } = create({ denied: 'topic/answers/lock-17' });
    expect(await messaging.request(SENDER, ASKING, TRACE)).toEqual({ reason: 'SENDER_NOT_AUTHORIZED' });
    expect(delivery.messages).toEqual([]);
    expect(events.direct).toMatchObject([{ decision: { action: 'iot:Receive', effect: 'deny' } }]);
  });

  test('has the same Correlation Data in each of its repeats, and other data in other requests', async () => {
    const { delivery, messaging } = create();
    for (const idempotencyKey of ['a', 'a', 'b', undefined, undefined]) {
      await messaging.request(SENDER, { ...ASKING, idempotencyKey }, TRACE);
    }
    await messaging.request({ ...SENDER, accessKeyId: 'other' }, { ...ASKING, idempotencyKey: 'a' }, TRACE);
    const data = delivery.messages.map(({ properties }) =>
      Buffer.from(properties.correlationData ?? []).toString('hex'),
    );
    expect(data[1]).toBe(data[0]);
    expect(new Set(data).size).toBe(5);
  });

  test('keeps the Correlation Data of its sender', async () => {
    const { delivery, messaging } = create();
    const correlationData = Buffer.from('mine').toString('base64');
    await messaging.request(SENDER, { ...ASKING, correlationData }, TRACE);
    expect(delivery.messages[0]?.properties.correlationData).toEqual(Buffer.from('mine'));
  });

  test.each([
    ['no response topic', { responseTopic: undefined }, 'INVALID_TOPIC'],
    ['a wildcard in it', { responseTopic: 'a/#' }, 'INVALID_TOPIC'],
    ['a reserved one', { responseTopic: '$SYS/a' }, 'RESERVED_TOPIC'],
    ['no topic', { topic: '' }, 'INVALID_TOPIC'],
    ['a timeout of 0 s', { timeout: '0' }, 'INVALID_PARAMETER'],
    ['a timeout of 61 s', { timeout: '61' }, 'INVALID_PARAMETER'],
    ['a timeout that is no number', { timeout: '1e1' }, 'INVALID_PARAMETER'],
  ])('with %s is refused', async (_what, changes, reason) => {
    const { delivery, messaging } = create();
    expect(await messaging.request(SENDER, { ...ASKING, ...changes }, TRACE)).toMatchObject({ reason });
    expect(delivery.messages).toEqual([]);
  });

  test('may wait for a minute', async () => {
    const { delivery, messaging } = create();
    await messaging.request(SENDER, { ...ASKING, timeout: '60' }, TRACE);
    expect(delivery.messages[0]?.timeoutMs).toBe(60_000);
  });
});

describe('a message whose receiver is not connected', () => {
  const WAITING = { ...INPUT, waitForConnection: '60' };
  const absent = (delivery: FakeDelivery): void => {
    delivery.answer = () => Promise.resolve(delivery.waits.length === 0 ? 'CLIENT_NOT_CONNECTED' : 'DELIVERED');
    delivery.seen = () => Promise.resolve('connected');
  };

  test('waits and is sent again, and the wait is for the time that is left', async () => {
    const { delivery, messaging } = create();
    absent(delivery);
    expect(await messaging.send(SENDER, WAITING, TRACE)).toEqual({ reason: 'DELIVERED', written: 'yes' });
    expect(delivery.waits).toEqual([{ targetClientId: 'lock-17', principal: 'AKID', waitMs: 60_000 }]);
    expect(delivery.messages).toHaveLength(2);
  });

  test('does not wait where nobody asked for it', async () => {
    const { delivery, messaging } = create();
    absent(delivery);
    expect((await messaging.send(SENDER, INPUT, TRACE)).reason).toBe('CLIENT_NOT_CONNECTED');
    expect(delivery.waits).toEqual([]);
  });

  test('is not sent where by then its sender may not', async () => {
    const { authorizer, delivery, events, messaging } = create();
    absent(delivery);
    const allow = authorizer.sendDirectMessage.bind(authorizer);
    authorizer.sendDirectMessage = (...asked) => ({
      ...allow(...asked),
      ...(delivery.waits.length > 0 && { effect: 'deny', cause: 'implicitDeny' }),
    });
    expect((await messaging.send(SENDER, WAITING, TRACE)).reason).toBe('SENDER_NOT_AUTHORIZED');
    expect(delivery.messages).toHaveLength(1);
    expect(events.direct).toMatchObject([{ reason: 'SENDER_NOT_AUTHORIZED', written: 'no' }]);
  });

  test('is withdrawn for the reason of its signal, and never sent', async () => {
    const { delivery, messaging } = create();
    absent(delivery);
    delivery.seen = () => new Promise(() => undefined);
    const caller = new AbortController();
    const outcome = messaging.send(SENDER, WAITING, TRACE, { signal: caller.signal });
    await new Promise(setImmediate);
    caller.abort({ reason: 'CALLER_GONE', details: 'The caller hung up.' });
    expect(await outcome).toMatchObject({ reason: 'CALLER_GONE', written: 'no', details: 'The caller hung up.' });
    expect(delivery.messages).toHaveLength(1);
    expect(delivery.signals).toEqual([caller.signal]);
  });

  test('is refused where there is no room to wait, which nobody else is asked for', async () => {
    const { delivery, messaging } = create();
    absent(delivery);
    let begun = 0;
    const begin = (): boolean => (begun += 1) === 0;
    expect(await messaging.send(SENDER, WAITING, TRACE, { begin })).toMatchObject({
      reason: 'RECEIVER_THROTTLED',
      written: 'no',
    });
    delivery.answer = () => Promise.resolve('DELIVERED');
    await messaging.send(SENDER, WAITING, TRACE, { begin });
    expect([begun, delivery.waits]).toEqual([1, []]);
  });

  test('is told why it is not waited for any longer', async () => {
    const { delivery, messaging } = create();
    absent(delivery);
    delivery.seen = () => Promise.resolve({ reason: 'CLIENT_OFFLINE_WITH_SESSION', written: 'no' });
    expect(await messaging.send(SENDER, WAITING, TRACE)).toEqual({
      reason: 'CLIENT_OFFLINE_WITH_SESSION',
      written: 'no',
    });
  });

  test.each(['301', '-1', 'x', '', '1.5'])('is refused for a wait of "%s" seconds', async (waitForConnection) => {
    const { delivery, messaging } = create();
    const outcome = await messaging.send(SENDER, { ...INPUT, waitForConnection }, TRACE);
    expect(outcome.reason).toBe('INVALID_PARAMETER');
    expect(delivery.messages).toEqual([]);
  });
});
