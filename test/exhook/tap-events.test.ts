import { afterEach, describe, expect, test } from '@jest/globals';
import type { HookProviderOptions } from '../../src/exhook/provider.js';
import type { Traffic } from '../../src/observing/events.js';
import { meta, startProvider } from './harness.js';
import { at, client, tell, wishes } from './tap-support.js';

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

async function start(options: Partial<HookProviderOptions> = {}): Promise<void> {
  harness = await startProvider({ wishes, ...options });
}

const identity = {
  protocol: 'MQTT',
  clientId: 'lock-17',
  username: 'lock-17',
  sourceIp: '10.0.0.17',
  sourcePort: 50123,
};
const traceId = '0af7651916cd43dd8448eb211c80319c';

describe('an event that the plugin tells', () => {
  const connection = { cleanStart: false, expiryMs: 60_000, keepAlive: 30, socket: 'tcp' };
  const facts = { topic: 'a/b', qos: 1, retain: true, payloadBytes: 7, traceId };
  const told = { identity, endedAt: at, topicName: 'a/b', qos: 1, retain: true, payloadBytes: 7, traceId };

  test.each([
    [
      'a connection, with what it asked for',
      { type: 'Connect', outcome: 'accepted', ...connection, will: true, willTopic: 'gone' },
      'Connect',
      {
        identity,
        endedAt: at,
        decision: { effect: 'allow' },
        connection: {
          protocolVersion: 5,
          cleanStart: false,
          sessionExpirySeconds: 60,
          keepAliveSeconds: 30,
          willTopic: 'gone',
        },
      },
    ],
    [
      'a connection without a will',
      { type: 'Connect', outcome: 'accepted', ...connection, will: false },
      'Connect',
      { connection: { willTopic: null } },
    ],
    [
      'a refusal of the broker',
      { type: 'Connect', outcome: 'banned', by: 'broker', ...connection },
      'Connect',
      { identity, reason: 'CONNECT_REFUSED', details: 'banned, refused by the broker' },
    ],
    [
      'a refusal of the guard',
      { type: 'Connect', outcome: 'not_authorized', by: 'guard', ...connection },
      'Connect',
      { reason: 'CONNECT_REFUSED', details: 'not_authorized, refused by the guard' },
    ],
    [
      'the end of a connection',
      { type: 'Disconnect', reason: 'tcp_closed', durationMs: 3500 },
      'Disconnect',
      { identity, endedAt: at, disconnectReason: 'tcp_closed', durationMs: 3500 },
    ],
    [
      'a subscription, with the policy that allows it',
      { type: 'Subscribe', topic: 'a/#', qos: 1, rh: 0, rap: 0, nl: 0, isNew: true },
      'Subscribe',
      { identity, endedAt: at, topicName: 'a/#', qos: 1, decision: { policy: 'p' } },
    ],
    ['the end of one', { type: 'Unsubscribe', topic: 'a/#' }, 'Unsubscribe', { identity, topicName: 'a/#' }],
    ['a publish', { type: 'Publish-In', ...facts }, 'Publish-In', told],
    ['a delivery', { type: 'Publish-Out', ...facts }, 'Publish-Out', told],
    ['an acknowledgement', { type: 'Publish-Ack', ...facts }, 'Publish-Ack', told],
    [
      'an acknowledgement that says no',
      { type: 'Publish-Ack', ...facts, code: 0x97 },
      'Publish-Ack',
      { ...told, reason: 'RECEIVER_REJECTED', details: 'The client answered 0x97.' },
    ],
    [
      'the trace of the publisher',
      { type: 'Publish-In', ...facts, traceId: undefined, traceparent: `00-${traceId}-b7ad6b7169203331-01` },
      'Publish-In',
      told,
    ],
    [
      'a message that found the queue full',
      { type: 'Dropped', ...facts, reason: 'queue_full' },
      'Dropped',
      { ...told, reason: 'RECEIVER_QUEUE_FULL' },
    ],
    ['one that expired', { type: 'Dropped', ...facts, reason: 'expired' }, 'Dropped', { reason: 'MESSAGE_EXPIRED' }],
    [
      'one for nobody',
      { type: 'Dropped', ...facts, reason: 'no_subscribers' },
      'Dropped',
      { reason: 'NO_SUBSCRIBERS' },
    ],
    [
      'one dropped for another reason',
      { type: 'Dropped', ...facts, reason: 'qos0_msg' },
      'Dropped',
      { reason: 'MESSAGE_DROPPED', details: 'qos0_msg' },
    ],
    [
      'a publish that the broker refused by itself',
      { type: 'Denied', action: 'publish', topic: 'a', qos: 1, retain: true, by: 'cache' },
      'Publish-In',
      {
        reason: 'PUBLISH_NOT_AUTHORIZED',
        topicName: 'a',
        qos: 1,
        retain: true,
        details: 'Decided by the broker: cache.',
      },
    ],
    [
      'a subscription that the broker refused by itself',
      { type: 'Denied', action: 'subscribe', topic: 'a/#', qos: 1, by: 'file' },
      'Subscribe',
      { reason: 'SUBSCRIBE_NOT_AUTHORIZED', topicName: 'a/#' },
    ],
    ['a session that is resumed', { type: 'Session', outcome: 'resumed' }, 'Session', { identity, details: 'resumed' }],
  ] as const)('is %s', async (_what, entry, type, expected) => {
    await start();
    await tell(harness, { at, ...client, ...entry });
    expect(harness.events.all).toEqual([{ name: type, event: expect.objectContaining({ endedAt: at }) as unknown }]);
    expect(harness.events.all[0]?.event).toMatchObject(expected);
  });

  test('is in the order of the entries, and told before the plugin has its answer', async () => {
    await start();
    const topics = Array.from({ length: 260 }, (_, index) => `t/${index}`);
    await tell(harness, ...topics.map((topic) => ({ type: 'Publish-In', at, ...client, ...facts, topic })));
    expect(harness.events.all.map(({ event }) => (event as { topicName?: string }).topicName)).toEqual(topics);
  });

  test('of what the provider refused is not told twice', async () => {
    await start();
    await tell(harness, { type: 'Connect', at, ...client, outcome: 'not_authorized', by: 'provider' });
    expect(harness.events.all).toEqual([]);
  });

  test('of the service itself is not told', async () => {
    await start();
    await tell(harness, { type: 'Publish-In', at, ...client, ...facts, username: 'tightbeam' });
    expect(harness.events.all).toEqual([]);
  });

  test('says what was lost, by type and node', async () => {
    await start();
    await tell(harness, { type: 'Missed', at, of: 'Publish-In', count: 17 });
    expect(harness.events.all).toEqual([
      { name: 'EventsMissed', event: { of: 'Publish-In', count: 17, node: meta.node, endedAt: at } },
    ]);
  });

  test('or has counted goes to the metrics and into no line', async () => {
    const counted: Traffic[] = [];
    await start({ traffic: (traffic) => counted.push(traffic) });
    await tell(
      harness,
      { type: 'Count', at, what: 'message', direction: 'in', qos: 1, group: 'doors', count: 7 },
      { type: 'Count', at, what: 'dropped', reason: 'expired', group: '', count: 1 },
      { type: 'Count', at, what: 'connect', outcome: 'accepted', count: 2 },
      { type: 'Count', at, what: 'session', outcome: 'resumed', count: 3 },
      { type: 'Count', at, what: 'disconnect', count: 4 },
    );
    expect(counted.map(({ what, count }) => [what, count])).toEqual([
      ['message', 7],
      ['dropped', 1],
      ['connect', 2],
      ['session', 3],
      ['disconnect', 4],
    ]);
    expect(harness.events.all).toEqual([]);
  });

  test('that cannot be read is counted, and those beside it are told', async () => {
    await start();
    await tell(
      harness,
      { type: 'Publish-In', at, ...client },
      { type: 'Publish-In', at: 'now', ...client, ...facts },
      { type: 'Publish-In', at: 8.64e15 + 1, ...client, ...facts },
      { type: 'Unheard-Of', at, ...client },
      { type: 'Connect', at, ...client },
      { type: 'Denied', at, ...client, action: 'think', topic: 'a', by: 'cache' },
      { type: 'Count', at, what: 'sheep', count: 1 },
      { type: 'Missed', at, of: 'Publish-In', count: -1 },
      { type: 'Session', at },
      { type: 7 },
      { type: 'Session', at, ...client, outcome: 'expired' },
    );
    expect(harness.events.all.map(({ name }) => name)).toEqual(['Session']);
    expect(harness.logged.map(([level, , fields]) => [level, fields?.['unreadable']])).toEqual([['warn', 10]]);
  });
});
