import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ordinaryLife, rareEvents, type Recorded } from '../../exhook/recordings.js';
import { startBroker, type Running } from './harness.js';
import { startScriptedProvider, type SeenCall } from './scripted-provider.js';

let provider: Awaited<ReturnType<typeof startScriptedProvider>>;
let running: Running;
beforeEach(async () => {
  provider = await startScriptedProvider({
    answers: {
      OnClientAuthenticate: ({ clientinfo }) => ({
        type: 'STOP_AND_RETURN',
        bool_result: clientinfo?.username !== 'bad',
      }),
      OnClientAuthorize: ({ topic }) => ({ type: 'STOP_AND_RETURN', bool_result: !topic.startsWith('forbidden') }),
    },
  });
  running = await startBroker({ broker: { exhookAddress: `127.0.0.1:${provider.port}` } });
});
afterEach(async () => {
  await running.stop();
  provider.stop();
});

/** Hooks of ordinary messages; the embedded broker has none of them. */
const OF_MESSAGES = /^OnMessage/;

function clientOf({ request }: Pick<SeenCall, 'request'>): string | undefined {
  const { clientinfo, conninfo } = request as { clientinfo?: { clientid: string }; conninfo?: { clientid: string } };
  return (clientinfo ?? conninfo)?.clientid;
}

/** What one client’s calls are, as names with what tells them apart. */
function story(calls: readonly SeenCall[], clientId: string): string[] {
  return calls
    .filter((call) => clientOf(call) === clientId && !OF_MESSAGES.test(call.method))
    .map(({ method, request }) =>
      [method, request['type'], request['topic'], request['reason'], request['result_code']].filter(Boolean).join(' '),
    );
}

const between = (calls: Recorded[], from: number, to: number) => calls.filter(({ seq }) => seq >= from && seq <= to);
const disconnected = (clientId: string) =>
  provider.next('OnSessionTerminated', ({ clientinfo }) => clientinfo?.clientid === clientId);

/** Names of all fields, deep, lists by their first entry. */
function fields(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? [] : [fields(value[0])];
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'props')
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, inner]) => [name, fields(inner)]),
  );
}

describe('the hook calls are those of EMQX, in its order', () => {
  test('for a client of MQTT 3.1.1 that subscribes, unsubscribes and leaves', async () => {
    const client = await running.connect('v311-sub', { protocolVersion: 4, username: 'u', password: 'p' });
    await client.subscribeAsync('v311/q/#', { qos: 2 });
    await client.unsubscribeAsync('v311/q/#');
    await client.endAsync();
    await disconnected('v311-sub');
    expect(story(provider.calls, 'v311-sub')).toEqual(story(ordinaryLife, 'v311-sub'));
  });

  test('for a publisher of MQTT 5', async () => {
    const client = await running.connect('v5-pub', { properties: { userProperties: { k: 'conn' } } });
    for (const topic of ['v5/q/0', 'v5/q/1', 'v5/q/2', 'v5/nobody']) await client.publishAsync(topic, 'p', { qos: 1 });
    await client.endAsync();
    await disconnected('v5-pub');
    // The one in the recording kept its session.
    expect(story(provider.calls, 'v5-pub').slice(0, -1)).toEqual(story(ordinaryLife, 'v5-pub'));
    expect((await provider.next('OnClientConnect')).props).toEqual([
      { name: 'User-Property', value: '[{<<"k">>,<<"conn">>}]' },
    ]);
  });

  test('for a refused client', async () => {
    await expect(running.connect('refused-5', { username: 'bad', password: 'secret-5' })).rejects.toMatchObject({
      code: 0x87,
    });
    await provider.next('OnClientConnack');
    expect(story(provider.calls, 'refused-5')).toEqual(story(rareEvents, 'refused-5'));
  });

  test('for a refused subscription and publish', async () => {
    const client = await running.raw('limited', { username: 'alice' });
    client.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [
        { topic: 'ok/#', qos: 1 },
        { topic: 'forbidden/x', qos: 1 },
      ],
    });
    expect((await client.next('suback')).granted).toEqual([1, 0x87]);
    client.publish('forbidden/y', 2);
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 });
    client.publish('ok/y', 3);
    expect(await client.next('puback')).toMatchObject({ reasonCode: 0x00 });
    expect(story(provider.calls, 'limited')).toEqual(story(between(rareEvents, 13, 24), 'limited'));
  });

  test('for a session that is resumed, taken over and discarded', async () => {
    const keep = { clean: false, properties: { sessionExpiryInterval: 3600 } };
    const first = await running.connect('persist', { ...keep, clean: true });
    await first.subscribeAsync('p/#', { qos: 1 });
    await first.endAsync();
    await provider.next('OnClientDisconnected');
    await running.connect('persist', keep);
    const third = await running.connect('persist', keep);
    await third.endAsync();
    let ended = 0;
    await provider.next('OnClientDisconnected', ({ reason }) => reason === 'normal' && ++ended === 2);
    const fourth = await running.connect('persist');
    await fourth.endAsync();
    await disconnected('persist');
    expect(story(provider.calls, 'persist')).toEqual(story(between(ordinaryLife, 67, 108), 'persist'));
  });

  test('for a session that another connection discards', async () => {
    await running.connect('limited', { username: 'alice' });
    await running.connect('limited', { username: 'alice' });
    expect(story(provider.calls, 'limited').slice(5)).toEqual(story(between(rareEvents, 58, 64), 'limited'));
  });

  test('for a socket that breaks', async () => {
    const client = await running.raw('limited');
    client.destroy();
    await disconnected('limited');
    expect(story(provider.calls, 'limited')).toEqual(story(between(rareEvents, 76, 82), 'limited'));
  });

  test('for a keep-alive that runs out', async () => {
    await running.raw('kalv', { protocolVersion: 4, keepalive: 1 });
    await disconnected('kalv');
    expect(story(provider.calls, 'kalv')).toEqual(story(rareEvents, 'kalv'));
  });
});

test('each call has the fields that EMQX fills', async () => {
  const client = await running.connect('c', { clean: false, properties: { sessionExpiryInterval: 60 } });
  await client.subscribeAsync('a/b', { qos: 1 });
  await client.unsubscribeAsync('a/b');
  await client.endAsync();
  await provider.next('OnClientDisconnected');
  await running.connect('c', { clean: false });
  const last = await running.connect('c');
  expect(await new Promise((resolve) => last.publish('$dm/nobody/t', 'p', { qos: 1 }, resolve))).toBeInstanceOf(Error);
  await last.endAsync();
  await disconnected('c');
  await running.broker.close();
  const recorded = new Map(ordinaryLife.map((call) => [call.method, call.request]));
  const withoutMessages = [...recorded.keys()].filter((method) => !OF_MESSAGES.test(method));
  const seen = new Map(provider.calls.map((call) => [call.method, call.request]));
  expect([...seen.keys()].sort()).toEqual([...withoutMessages, 'OnMessageDropped'].sort());
  for (const [method, request] of seen) {
    const expected = JSON.parse(JSON.stringify(recorded.get(method))) as {
      message?: { payload: unknown; headers: unknown };
    };
    // Outcomes of many senders: each entry of the payload names its own.
    if (expected.message !== undefined) Object.assign(expected.message, { payload: Buffer.alloc(0), headers: {} });
    expect({ method, fields: fields(request) }).toEqual({ method, fields: fields(expected) });
  }
  expect(await provider.next('OnClientAuthenticate')).toMatchObject({
    clientinfo: { clientid: 'c', username: 'c', peerhost: '127.0.0.1', sockport: running.port, protocol: 'mqtt' },
  });
});

test('only registered hooks are called, message hooks only on their topics', async () => {
  const sparse = await startScriptedProvider({
    hooks: [
      { name: 'client.authenticate', topics: [] },
      { name: 'client.authorize', topics: [] },
      { name: 'message.dropped', topics: ['alarms/#'] },
    ],
  });
  const other = await startBroker({ broker: { exhookAddress: `127.0.0.1:${sparse.port}` } });
  const client = await other.raw('c');
  client.publish('$dm/nobody/t', 1);
  await client.next('puback');
  await other.stop();
  expect(sparse.calls.map(({ method }) => method)).toEqual([
    'OnProviderLoaded',
    'OnClientAuthenticate',
    'OnClientAuthorize',
    'OnProviderUnloaded',
  ]);
  sparse.stop();
});
