import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { optionalHooks } from '../../src/exhook/hooks.js';
import { createHookProvider, type HookProviderOptions } from '../../src/exhook/provider.js';
import { writeOutcomeReport } from '../../src/exhook/outcome-report.js';
import { clientInfo, meta, startProvider } from './harness.js';

const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

const start = async (options: Partial<HookProviderOptions> = {}) => {
  harness = await startProvider(options);
};

describe('life of clients', () => {
  beforeEach(() => start());

  test('a connected client is told of, with the decision that admitted it', async () => {
    await harness.call('v2', 'OnClientConnected', { clientinfo: clientInfo(), meta });
    expect(await harness.events.next('connect')).toMatchObject({
      identity: { clientId: 'lock-17' },
      decision: { action: 'iot:Connect', effect: 'allow' },
    });
  });

  test('a disconnect is told with the reason of the broker', async () => {
    const reason = '#{cause => invalid_topic,parsed_length => 9,remaining_bytes_length => 3}';
    await harness.call('v2', 'OnClientDisconnected', { clientinfo: clientInfo(), reason, meta });
    expect(await harness.events.next('disconnect')).toMatchObject({ disconnectReason: reason });
  });
});

describe('events that are reported on request', () => {
  const message = {
    node: 'n',
    id: '0',
    qos: 1,
    from: 'sensor-1',
    topic: 'sensors/1',
    payload: Buffer.from('21'),
    timestamp: '0',
    headers: { username: 'sensor-1', peerhost: '10.0.0.9' },
  };

  test('a publish is told and goes on its way', async () => {
    await start();
    expect(await harness.call('v2', 'OnMessagePublish', { message, meta })).toEqual({ type: 'IGNORE' });
    expect(await harness.events.next('publishIn')).toMatchObject({
      identity: { protocol: 'MQTT', clientId: 'sensor-1', sourceIp: '10.0.0.9' },
      topicName: 'sensors/1',
      qos: 1,
      payloadBytes: 2,
    });
  });

  test('a delivery is told with its receiver', async () => {
    await start();
    await harness.call('v2', 'OnMessageDelivered', { clientinfo: clientInfo(), message, meta });
    expect(await harness.events.next('publishOut')).toMatchObject({
      identity: { clientId: 'lock-17' },
      topicName: 'sensors/1',
    });
  });

  test('an unsubscription is told topic filter by topic filter', async () => {
    await start();
    const subopts = { qos: 0, rh: 0, rap: 0, nl: 0 };
    const filters = ['a/#', 'b'].map((name) => ({ name, subopts }));
    await harness.call('v2', 'OnClientUnsubscribe', {
      clientinfo: clientInfo(),
      props: [],
      topic_filters: filters,
      meta,
    });
    expect(await harness.events.next('unsubscribe', ({ topicName }) => topicName === 'b')).toMatchObject({
      identity: { clientId: 'lock-17' },
    });
  });

  test('register no hook where nothing is asked for, and never one for all topics', async () => {
    await start({ hooks: optionalHooks({ publishIn: ['a/#'], publishOut: [], unsubscribe: false }) });
    const loaded = await harness.call('v2', 'OnProviderLoaded', { broker: null, meta });
    expect(loaded.hooks.find(({ name }) => name.startsWith('message.publish'))).toEqual({
      name: 'message.publish',
      topics: ['a/#'],
    });
    expect(optionalHooks({ publishIn: [], publishOut: [], unsubscribe: false })).toEqual([]);
    expect(optionalHooks({ publishIn: ['a/#'], publishOut: ['b'], unsubscribe: true })).toEqual([
      { name: 'message.publish', topics: ['a/#'] },
      { name: 'message.delivered', topics: ['b'] },
      { name: 'client.unsubscribe', topics: [] },
    ]);
  });
});

describe('the outcome of a direct message that came through MQTT', () => {
  beforeEach(() => start());

  const dropped = (reason: string, payload: Buffer, overrides: { topic?: string; username?: string } = {}) =>
    harness.call('v2', 'OnMessageDropped', {
      message: {
        node: 'n',
        id: '0',
        qos: 1,
        from: 'backend-1',
        topic: overrides.topic ?? '$dm/lock-17/commands/open',
        payload,
        timestamp: '0',
        headers: { username: overrides.username ?? 'backend', peerhost: '10.0.0.9', protocol: 'mqtt' },
      },
      reason,
      meta,
    });
  const traceId = '0af7651916cd43dd8448eb211c80319c';

  test('is told from the report, on the trace of the sender', async () => {
    await dropped(
      'PUBACK_TIMEOUT',
      writeOutcomeReport({
        reason: 'PUBACK_TIMEOUT',
        durationMs: 5_001,
        qos: 1,
        payloadBytes: 12,
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      }),
    );
    expect(await harness.events.next('directMessage')).toEqual({
      traceId,
      sender: { protocol: 'MQTT', clientId: 'backend-1', username: 'backend', sourceIp: '10.0.0.9' },
      message: { targetClientId: 'lock-17', topic: 'commands/open', confirmation: true, payloadBytes: 12 },
      reason: 'PUBACK_TIMEOUT',
      durationMs: 5_001,
    });
  });

  test('has a trace of its own where the sender named none, or no valid one', async () => {
    await dropped(
      'DISPATCHED',
      writeOutcomeReport({ reason: 'DISPATCHED', durationMs: 1, qos: 0, payloadBytes: 0, traceparent: 'x' }),
    );
    const event = await harness.events.next('directMessage');
    expect(event.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(event.message.confirmation).toBe(false);
  });

  test('is told where the direct topic was malformed', async () => {
    const report = writeOutcomeReport({ reason: 'INVALID_CLIENT_ID', durationMs: 0, qos: 1, payloadBytes: 3 });
    await dropped('INVALID_CLIENT_ID', report, { topic: '$dm/%zz/t' });
    expect(await harness.events.next('directMessage')).toMatchObject({
      reason: 'INVALID_CLIENT_ID',
      message: { targetClientId: '', topic: '$dm/%zz/t' },
    });
  });

  test('is a missing plugin where the message itself went into routing', async () => {
    await dropped('no_subscribers', Buffer.from('{"cmd":"reboot"}'));
    expect(await harness.events.next('directMessage')).toMatchObject({
      reason: 'DELIVERY_PLUGIN_MISSING',
      message: { payloadBytes: 16, confirmation: true },
    });
  });

  test('is nobody else’s business: messages of the service, unknown reasons and forged reports are passed over', async () => {
    const report = { reason: 'DELIVERED', durationMs: 1, qos: 1, payloadBytes: 0 } as const;
    await dropped('DELIVERED', writeOutcomeReport(report), { username: 'tightbeam' });
    await dropped('queue_full', writeOutcomeReport(report));
    await dropped('DELIVERED', Buffer.from('not JSON'));
    await dropped('DELIVERED', Buffer.from('{"durationMs":-1}'));
    await dropped('PUBACK_TIMEOUT', writeOutcomeReport({ ...report, reason: 'PUBACK_TIMEOUT' }));
    await harness.events.next('directMessage', (event) => event.reason === 'PUBACK_TIMEOUT');
    expect(harness.events.all).toHaveLength(1);
  });
});

describe('the provider', () => {
  test('registers no hook beyond the needed ones, and further ones as data', async () => {
    await start({
      hooks: [
        { name: 'message.publish', topics: ['state/#'] },
        { name: 'message.dropped', topics: ['$dm/#', 'alarms/#'] },
        { name: 'client.authorize', topics: [] },
      ],
    });
    expect(await harness.call('v3', 'OnProviderLoaded', { broker: null, meta })).toEqual({
      hooks: [
        { name: 'client.authenticate', topics: [] },
        { name: 'client.authorize', topics: [] },
        { name: 'client.connected', topics: [] },
        { name: 'client.disconnected', topics: [] },
        { name: 'message.dropped', topics: ['$dm/#', 'alarms/#'] },
        { name: 'message.publish', topics: ['state/#'] },
      ],
    });
  });

  test('answers the calls under way before it stops', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    let asked: () => void = () => undefined;
    const underWay = new Promise<void>((resolve) => (asked = resolve));
    await start({
      authenticator: {
        authenticate: async ({ clientId }) => {
          asked();
          await held;
          return { ok: true, identity: { protocol: 'MQTT', clientId } };
        },
      },
    });
    const answer = harness.call('v2', 'OnClientAuthenticate', { clientinfo: clientInfo(), result: false, meta });
    await underWay;
    const stopped = harness.provider.stop();
    release();
    expect(await answer).toEqual(ALLOWED);
    await stopped;
  });

  test('stops after its grace even where a call never ends', async () => {
    await start({ authenticator: { authenticate: () => new Promise(() => undefined) } });
    const answer = harness
      .call('v2', 'OnClientAuthenticate', { clientinfo: clientInfo(), result: false, meta })
      .catch(() => 'cut off');
    await harness.provider.stop(20);
    expect(await answer).toBe('cut off');
  });

  test('says so where it cannot listen', async () => {
    await start();
    const libraryLog = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    const other = createHookProvider({ ...harness, diagnostics: () => undefined, serviceUsername: 'tightbeam' });
    await expect(other.start('127.0.0.1', harness.port)).rejects.toThrow('No address added');
    libraryLog.mockRestore();
    await other.stop();
  });
});
