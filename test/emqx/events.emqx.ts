import { afterEach, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import type { Line } from '../telemetry/capture.js';
import { type BenchOptions, until } from './support/bench.js';
import { publish } from './support/clients.js';
import { onEmqx } from './support/suite.js';

/** The message events of these topics, everything else of all. */
const OPTIONS: BenchOptions = {
  log: {
    publishIn: ['seen/#'],
    publishOut: ['seen/#'],
    publishAck: ['seen/#'],
    noSubscribers: ['seen/nobody'],
    unsubscribe: true,
  },
  topicGroups: { counted: ['seen/counted'], seen: ['seen/#'] },
};

onEmqx(
  'What happens in the broker is told by the plugin',
  (bench) => {
    const clients: MqttClient[] = [];
    afterEach(async () => {
      await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
    });
    const connect = async (...of: Parameters<ReturnType<typeof bench>['connect']>): Promise<MqttClient> => {
      const client = await bench().connect(...of);
      clients.push(client);
      return client;
    };
    const next = (eventType: string, clientId: string, matches: (line: Line) => boolean = () => true): Promise<Line> =>
      bench().nextLine((line) => line['eventType'] === eventType && line['clientId'] === clientId && matches(line));

    test('and no hook of connections or messages is registered for it', async () => {
      const hooks = (await bench().api.exHooks()).flatMap(({ hooks }) => hooks.map(({ name }) => name));
      expect(hooks.sort()).toEqual(['client.authenticate', 'client.authorize', 'message.dropped']);
    });

    test('Connect, with what the client asked for and the policy that let it in, and Disconnect', async () => {
      const client = await connect('seen-life', {
        clean: false,
        keepalive: 30,
        properties: { sessionExpiryInterval: 60 },
        will: { topic: 'seen/will', payload: Buffer.from('gone'), qos: 1, retain: false },
      });
      expect(await next('Connect', 'seen-life')).toMatchObject({
        status: 'Success',
        principalId: 'device',
        policy: 'device',
        sourceIp: expect.any(String) as unknown,
        sourcePort: expect.any(Number) as unknown,
        protocolVersion: 5,
        cleanStart: false,
        sessionExpirySeconds: 60,
        keepAliveSeconds: 30,
        willTopic: 'seen/will',
      });
      await client.endAsync();
      expect(await next('Disconnect', 'seen-life')).toMatchObject({
        principalId: 'device',
        disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
        durationMs: expect.any(Number) as unknown,
      });
      expect(
        bench().log.filter((line) => line['clientId'] === 'seen-life' && line['eventType'] === 'Connect'),
      ).toHaveLength(1);
    });

    test('Connect refused by the service once, with its reason', async () => {
      await expect(bench().connect('seen-refused', { password: 'wrong' })).rejects.toThrow();
      const line = await next('Connect', 'seen-refused');
      expect(line).toMatchObject({ status: 'Failure', reason: 'INVALID_CREDENTIALS' });
      // What comes later is told later.
      const after = await connect('seen-refused-not');
      await next('Connect', 'seen-refused-not');
      await after.endAsync();
      expect(bench().log.filter(({ clientId }) => clientId === 'seen-refused')).toHaveLength(1);
    });

    test('Connect refused by the broker itself, with its code', async () => {
      await bench().rest('POST', '/banned', { as: 'clientid', who: 'seen-banned', reason: 'test', by: 'suite' });
      try {
        await expect(bench().connect('seen-banned')).rejects.toThrow();
        expect(await next('Connect', 'seen-banned')).toMatchObject({
          status: 'Failure',
          reason: 'CONNECT_REFUSED',
          details: 'banned, refused by the broker',
        });
      } finally {
        await bench().rest('DELETE', '/banned/clientid/seen-banned');
      }
    });

    test('Subscribe and Unsubscribe, each once', async () => {
      const client = await connect('seen-subscriber');
      await client.subscribeAsync('seen/a/#', { qos: 1 });
      await client.unsubscribeAsync('seen/a/#');
      expect(await next('Subscribe', 'seen-subscriber')).toMatchObject({
        status: 'Success',
        topicName: 'seen/a/#',
        qos: 1,
        policy: 'device',
      });
      expect(await next('Unsubscribe', 'seen-subscriber')).toMatchObject({ topicName: 'seen/a/#' });
      expect(
        bench().log.filter((line) => line['clientId'] === 'seen-subscriber' && line['eventType'] === 'Subscribe'),
      ).toHaveLength(1);
    });

    test('Publish-In, Publish-Out and Publish-Ack of a message, in one trace', async () => {
      const receiver = await connect('seen-receiver');
      const sender = await connect('seen-sender');
      await receiver.subscribeAsync('seen/b', { qos: 1 });
      expect(await publish(sender, 'seen/b', 'hello')).toBe(0);
      const told = {
        status: 'Success',
        topicName: 'seen/b',
        qos: 1,
        retain: false,
        payloadBytes: 5,
        principalId: 'device',
      };
      const published = await next('Publish-In', 'seen-sender');
      expect(published).toMatchObject(told);
      for (const type of ['Publish-Out', 'Publish-Ack']) {
        expect(await next(type, 'seen-receiver')).toMatchObject({ ...told, traceId: published['traceId'] });
      }
    });

    test('the trace is the publisher’s own where it sends one', async () => {
      const receiver = await connect('seen-traced');
      await receiver.subscribeAsync('seen/c', { qos: 1 });
      const sender = await connect('seen-tracing');
      const traceId = '0af7651916cd43dd8448eb211c80319c';
      const userProperties = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
      await publish(sender, 'seen/c', 'x', { properties: { userProperties } });
      expect(await next('Publish-In', 'seen-tracing')).toMatchObject({ traceId });
      expect(await next('Publish-Out', 'seen-traced')).toMatchObject({ traceId });
      expect(await next('Publish-Ack', 'seen-traced')).toMatchObject({ traceId });
    });

    test('nothing of topics that nobody asked for', async () => {
      const sender = await connect('seen-unasked');
      await publish(sender, 'unseen/a');
      await publish(sender, 'seen/asked');
      await next('Publish-In', 'seen-unasked', ({ topicName }) => topicName === 'seen/asked');
      const topics = bench()
        .log.filter((line) => line['clientId'] === 'seen-unasked' && line['eventType'] === 'Publish-In')
        .map(({ topicName }) => topicName);
      expect(topics).toEqual(['seen/asked']);
    });

    test('Dropped, where nobody subscribes and where a queue is full', async () => {
      const sender = await connect('seen-dropping');
      await publish(sender, 'seen/nobody');
      expect(await next('Dropped', 'seen-dropping')).toMatchObject({
        status: 'Failure',
        reason: 'NO_SUBSCRIBERS',
        topicName: 'seen/nobody',
      });
      const away = await connect('seen-away', { clean: false, properties: { sessionExpiryInterval: 60 } });
      await away.subscribeAsync('seen/full', { qos: 1 });
      await away.endAsync();
      // EMQX keeps 1000 messages for a session by default.
      for (let sent = 0; sent < 1_001; sent += 1) await publish(sender, 'seen/full');
      expect(await next('Dropped', 'seen-away')).toMatchObject({
        reason: 'RECEIVER_QUEUE_FULL',
        topicName: 'seen/full',
      });
    });

    test('a refusal that EMQX has from its cache', async () => {
      const client = await connect('seen-denied');
      const refused = ({ reason }: Line) => reason === 'PUBLISH_NOT_AUTHORIZED';
      // Of a PUBLISH, for EMQX 6.2.0 asks again about each SUBSCRIBE.
      await client.publishAsync('unsaid/a', 'x', { qos: 1 }).catch(() => undefined);
      const asked = await next('Publish-In', 'seen-denied', refused);
      await client.publishAsync('unsaid/a', 'x', { qos: 1 }).catch(() => undefined);
      const cached = await next('Publish-In', 'seen-denied', (line) => refused(line) && line !== asked);
      expect(cached).toMatchObject({ topicName: 'unsaid/a', details: 'Decided by the broker: cache.' });
    });

    test('a session that is resumed, and one that expires', async () => {
      const session = { clean: false, properties: { sessionExpiryInterval: 1 } };
      const first = await connect('seen-session', session);
      await first.endAsync();
      await connect('seen-session', session);
      expect(await next('Session', 'seen-session')).toMatchObject({ status: 'Success', details: 'resumed' });
      const expiring = await connect('seen-expiring', session);
      await expiring.endAsync();
      expect(await next('Session', 'seen-expiring')).toMatchObject({ details: 'expired' });
    });

    test('the metrics count every message, by direction, QoS and topic group', async () => {
      const counted = async (direction: string, qos: number) => {
        const labels = `direction="${direction}",qos="${qos}",topic_group="counted"`;
        const response = await fetch(`http://127.0.0.1:${bench().service.ports.metrics}/metrics`);
        const value = new RegExp(`^tightbeam_messages_total\\{${labels}[^}]*\\} (\\d+)`, 'm').exec(
          await response.text(),
        );
        return Number(value?.[1] ?? 0);
      };
      const receiver = await connect('seen-counted');
      await receiver.subscribeAsync('seen/counted', { qos: 0 });
      const sender = await connect('seen-counting');
      for (let sent = 0; sent < 20; sent += 1) await publish(sender, 'seen/counted');
      await until(async () => (await counted('in', 1)) >= 20 && (await counted('out', 0)) >= 20);
      expect([await counted('in', 1), await counted('out', 0)]).toEqual([20, 20]);
    });
  },
  () => OPTIONS,
);
