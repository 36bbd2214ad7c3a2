import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { optionalHooks } from '../../src/exhook/hooks.js';
import { createHookProvider, type HookProviderOptions } from '../../src/exhook/provider.js';
import {
  joinOutcomeReports,
  OUTCOME_REPORTS,
  writeOutcomeReport,
  type OutcomeReport,
} from '../../src/exhook/outcome-report.js';
import type { DirectMessageEvent } from '../../src/observing/events.js';
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
    expect(await harness.events.next('Connect')).toMatchObject({
      identity: { clientId: 'lock-17' },
      decision: { action: 'iot:Connect', effect: 'allow' },
    });
  });

  test('a disconnect is told with the reason of the broker', async () => {
    const reason = '#{cause => invalid_topic,parsed_length => 9,remaining_bytes_length => 3}';
    await harness.call('v2', 'OnClientDisconnected', { clientinfo: clientInfo(), reason, meta });
    expect(await harness.events.next('Disconnect')).toMatchObject({ disconnectReason: reason });
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
    expect(await harness.events.next('Publish-In')).toMatchObject({
      identity: { protocol: 'MQTT', clientId: 'sensor-1', sourceIp: '10.0.0.9' },
      topicName: 'sensors/1',
      qos: 1,
      payloadBytes: 2,
    });
  });

  test('a delivery is told with its receiver', async () => {
    await start();
    await harness.call('v2', 'OnMessageDelivered', { clientinfo: clientInfo(), message, meta });
    expect(await harness.events.next('Publish-Out')).toMatchObject({
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
    expect(await harness.events.next('Unsubscribe', ({ topicName }) => topicName === 'b')).toMatchObject({
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

describe('outcomes of direct messages that came through MQTT', () => {
  beforeEach(() => start());

  const dropped = (reason: string, payload: Buffer, topic = '$dm/outcomes', username = 'backend') =>
    harness.call('v2', 'OnMessageDropped', {
      message: {
        node: 'n',
        id: '0',
        qos: 1,
        from: 'backend-1',
        topic,
        payload,
        timestamp: '0',
        headers: { username, peerhost: '10.0.0.9', protocol: 'mqtt' },
      },
      reason,
      meta,
    });
  const reported = (...entries: unknown[]) => dropped(OUTCOME_REPORTS, Buffer.from(JSON.stringify(entries)));
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const report: OutcomeReport = {
    reason: 'PUBACK_TIMEOUT',
    topic: '$dm/lock-17/commands/open',
    from: 'backend-1',
    username: 'backend',
    peerhost: '10.0.0.9',
    durationMs: 5_001,
    endedAt: 1_700_000_000_000,
    qos: 1,
    payloadBytes: 12,
    traceparent: `00-${traceId}-b7ad6b7169203331-01`,
  };

  test('are told from the report, on the trace of the sender', async () => {
    await dropped(OUTCOME_REPORTS, joinOutcomeReports([writeOutcomeReport(report)]));
    expect(await harness.events.next('SendDirectMessage')).toEqual({
      traceId,
      sender: { protocol: 'MQTT', clientId: 'backend-1', username: 'backend', sourceIp: '10.0.0.9' },
      message: { targetClientId: 'lock-17', topic: 'commands/open', confirmation: true, payloadBytes: 12 },
      reason: 'PUBACK_TIMEOUT',
      durationMs: 5_001,
      endedAt: 1_700_000_000_000,
    });
  });

  test('come many in one call, and are told in their order', async () => {
    const topics = Array.from({ length: 100 }, (_, index) => `$dm/lock-${index}/t`);
    await reported(...topics.map((topic) => ({ ...report, topic })));
    await harness.events.next('SendDirectMessage', ({ message }) => message.targetClientId === 'lock-99');
    const told = harness.events.all.map(({ event }) => event as DirectMessageEvent);
    expect(told.map(({ message }) => `$dm/${message.targetClientId}/t`)).toEqual(topics);
  });

  test('have a trace of their own where the sender named none, or no valid one', async () => {
    await reported({ ...report, reason: 'DISPATCHED', qos: 0, traceparent: 'x' });
    const event = await harness.events.next('SendDirectMessage');
    expect(event.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(event.message.confirmation).toBe(false);
  });

  test('are told where the direct topic was malformed', async () => {
    await reported({ ...report, reason: 'INVALID_CLIENT_ID', topic: '$dm/%zz/t' });
    expect(await harness.events.next('SendDirectMessage')).toMatchObject({
      reason: 'INVALID_CLIENT_ID',
      message: { targetClientId: '', topic: '$dm/%zz/t' },
    });
  });

  test('lack what the broker did not know', async () => {
    const { topic, from, durationMs, endedAt } = report;
    await reported({ reason: 'SENDER_NOT_AUTHORIZED', topic, from, durationMs, endedAt });
    expect(await harness.events.next('SendDirectMessage')).toMatchObject({
      sender: { protocol: 'MQTT', clientId: 'backend-1' },
      message: { targetClientId: 'lock-17', topic: 'commands/open' },
    });
  });

  test('are a missing plugin where the message itself went into routing', async () => {
    await dropped('no_subscribers', Buffer.from('{"cmd":"reboot"}'), '$dm/lock-17/commands/open');
    expect(await harness.events.next('SendDirectMessage')).toMatchObject({
      sender: { clientId: 'backend-1', username: 'backend', sourceIp: '10.0.0.9' },
      reason: 'DELIVERY_PLUGIN_MISSING',
      message: { payloadBytes: 16, confirmation: true },
    });
  });

  test('of the service itself are passed over, it knows them', async () => {
    await reported({ ...report, reason: 'DELIVERED', username: 'tightbeam' }, report);
    await harness.events.next('SendDirectMessage', ({ reason }) => reason === 'PUBACK_TIMEOUT');
    expect(harness.events.all).toHaveLength(1);
  });

  test('cannot be forged by a client: whatever a message says, the broker says why it was dropped', async () => {
    const forged = Buffer.from(JSON.stringify([{ ...report, reason: 'DELIVERED' }]));
    await dropped('no_subscribers', forged);
    await dropped('queue_full', forged);
    await dropped('DELIVERED', forged);
    await reported(report);
    await harness.events.next('SendDirectMessage', ({ reason }) => reason === 'PUBACK_TIMEOUT');
    expect(harness.events.all.map(({ event }) => (event as { reason?: string }).reason)).toEqual([
      'DELIVERY_PLUGIN_MISSING',
      'PUBACK_TIMEOUT',
    ]);
  });

  test('that cannot be read are counted, and the others are told', async () => {
    const bad: unknown[] = [
      null,
      7,
      'text',
      [],
      {},
      { ...report, reason: 'no_subscribers' },
      { ...report, reason: 'constructor' },
      { ...report, topic: 1 },
      { ...report, from: undefined },
      { ...report, username: {} },
      { ...report, peerhost: 7 },
      { ...report, durationMs: -1 },
      { ...report, durationMs: '1' },
      { ...report, endedAt: 8.7e15 },
      { ...report, qos: 3 },
      { ...report, payloadBytes: 'many' },
      { ...report, traceparent: ['x'] },
    ];
    await reported({ ...report, reason: 'DELIVERED' }, ...bad, report);
    await harness.events.next('SendDirectMessage', ({ reason }) => reason === 'PUBACK_TIMEOUT');
    expect(harness.events.all).toHaveLength(2);
    for (const payload of ['', 'not JSON', '{}', '[', '[{"reason"', 'null', '\xff']) {
      expect(await dropped(OUTCOME_REPORTS, Buffer.from(payload, 'latin1'))).toEqual({});
    }
    await reported({ ...report, reason: 'RECEIVER_DISCONNECTED' });
    await harness.events.next('SendDirectMessage', ({ reason }) => reason === 'RECEIVER_DISCONNECTED');
    expect(harness.events.all).toHaveLength(3);
    const reportedBy = expect.stringMatching(/^127\.0\.0\.1:\d+$/);
    expect(harness.logged.map(([level, , fields]) => [level, fields])).toEqual([
      ['warn', { unreadable: bad.length, reportedBy }],
      ...Array.from({ length: 7 }, () => ['warn', { unreadable: 1, reportedBy }]),
    ]);
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
        { name: 'message.dropped', topics: ['$dm/#', 'alarms/#'] },
        { name: 'client.connected', topics: [] },
        { name: 'client.disconnected', topics: [] },
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
