import { afterEach, describe, expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { nextMessage, send } from '../embedded/harness.js';
import { startDoor, type Running, type StartOptions } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

const describeWith = hasMosquitto ? describe : describe.skip;

let running: Running;
const start = async (options?: StartOptions): Promise<void> => {
  running = await startDoor(options);
};
const publish = (topic: string, packet: Partial<IPublishPacket> = {}): IPublishPacket => ({
  cmd: 'publish',
  topic,
  payload: 'p',
  qos: 0,
  dup: false,
  retain: false,
  ...packet,
});

describeWith('the door before Mosquitto', () => {
  afterEach(async () => {
    await running.stop();
    expect(running.broker.load).toEqual({ connections: 0, pendingMessages: 0 });
  });

  describe('policies', () => {
    test('refuse a PUBLISH with 0x87, or by closing an MQTT 3.1.1 connection, and the broker never sees it', async () => {
      const authorizer = fakeAuthorizer(({ resource }) => resource === 'topic/forbidden');
      await start({ gate: { authorizer } });
      const subscriber = await running.connect('subscriber');
      const heard: string[] = [];
      subscriber.on('message', (topic) => heard.push(topic));
      await subscriber.subscribeAsync('#');
      const client = await running.raw('client');
      client.publish('forbidden', 1);
      expect(await client.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x87 });
      client.publish('forbidden', 2, { qos: 2 });
      expect(await client.next('pubrec')).toMatchObject({ messageId: 2, reasonCode: 0x87 });
      client.publish('forbidden', 0, { qos: 0 });
      await client.settled();
      const old = await running.raw('old', { protocolVersion: 4 });
      old.publish('forbidden', 1);
      await old.closed;
      const received = nextMessage(subscriber);
      await subscriber.publishAsync('allowed', 'p', { qos: 1 });
      await received;
      expect(heard).toEqual(['allowed']);
    });

    test('refuse some filters of a SUBSCRIBE, in their places, and the broker grants the others', async () => {
      const authorizer = fakeAuthorizer(({ resource }) => resource === 'topicfilter/b');
      await start({ gate: { authorizer } });
      const client = await running.raw('client');
      const subscriptions = ['a', 'b', '$dm/client/t', 'c'].map((topic) => ({ topic, qos: 1 as const }));
      client.send({ cmd: 'subscribe', messageId: 5, subscriptions });
      expect(await client.next('suback')).toMatchObject({ messageId: 5, granted: [1, 0x87, 0x87, 1] });
      client.send({ cmd: 'subscribe', messageId: 6, subscriptions: [{ topic: 'b', qos: 0 }] });
      expect(await client.next('suback')).toMatchObject({ messageId: 6, granted: [0x87] });
      client.publish('c', 1);
      expect(await client.next('publish')).toMatchObject({ topic: 'c' });
    });

    test.each([1, 2] as const)(
      'withhold a message of QoS %i that may not be received, and the broker is rid of it',
      async (qos) => {
        const authorizer = fakeAuthorizer(
          ({ action, resource }) => action === 'iot:Receive' && resource === 'topic/a/no',
        );
        await start({ gate: { authorizer }, mosquitto: { config: ['max_inflight_messages 1'] } });
        const client = await running.raw('client');
        client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/#', qos }] });
        await client.next('suback');
        const publisher = await running.connect('publisher');
        for (const topic of ['a/no', 'a/no', 'a/yes']) await publisher.publishAsync(topic, 'p', { qos });
        // One at a time: the one behind came because those before were acknowledged.
        expect(await client.next('publish')).toMatchObject({ topic: 'a/yes', qos });
        expect(client.received).toEqual([]);
        expect(await running.events.next('Receive')).toMatchObject({
          reason: 'RECEIVER_NOT_AUTHORIZED',
          topicName: 'a/no',
        });
      },
    );
  });

  describe('topic aliases', () => {
    test('of the sender stand for direct topics and ordinary ones, and may change between the two', async () => {
      await start();
      const device = await running.raw('lock-17');
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync('news/#', { qos: 1 });
      const client = await running.raw('client');
      const alias = (topic: string, messageId: number): void => {
        client.publish(topic, messageId, { properties: { topicAlias: 1 } });
      };
      alias('$dm/lock-17/a', 1);
      alias('', 2);
      for (let count = 0; count < 2; count++) {
        const message = await device.next('publish');
        expect(message.topic).toBe('a');
        device.acknowledge(message);
        await client.next('puback');
      }
      for (const [topic, id] of [
        ['news/1', 3],
        ['', 4],
      ] as const) {
        const received = nextMessage(subscriber);
        alias(topic, id);
        expect((await received).topic).toBe('news/1');
      }
      // The broker still has the ordinary topic under the alias, and must not be asked by it.
      alias('$dm/lock-17/b', 5);
      alias('', 6);
      expect((await device.next('publish')).topic).toBe('b');
      expect((await device.next('publish')).topic).toBe('b');
    });

    test('that were set by a PUBLISH that was refused are told the broker when it is allowed', async () => {
      let allowed = false;
      const authorizer = fakeAuthorizer(({ resource }) => resource === 'topic/late' && !allowed);
      await start({ gate: { authorizer } });
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync('#', { qos: 1 });
      const client = await running.raw('client');
      client.publish('late', 1, { properties: { topicAlias: 1 } });
      expect(await client.next('puback')).toMatchObject({ reasonCode: 0x87 });
      allowed = true;
      const received = nextMessage(subscriber);
      client.publish('', 2, { properties: { topicAlias: 1 } });
      expect((await received).topic).toBe('late');
    });
  });

  describe('windows', () => {
    test('a client that sends more than the broker takes at once loses nothing, and direct messages do not wait', async () => {
      await start({ mosquitto: { config: ['max_inflight_messages 2'] } });
      const device = await running.raw('lock-17');
      const client = await running.raw('client');
      const ids = Array.from({ length: 50 }, (_, index) => index + 1);
      client.send(...ids.map((messageId) => publish(`t/${messageId}`, { qos: 2, messageId })));
      client.publish('$dm/lock-17/t', 100);
      device.acknowledge(await device.next('publish'));
      expect(await client.next('puback')).toMatchObject({ messageId: 100, reasonCode: 0 });
      for (let count = 0; count < ids.length; count++) {
        const { messageId = 0 } = await client.next('pubrec');
        client.send({ cmd: 'pubrel', messageId });
        await client.next('pubcomp');
      }
    });

    test('DISCONNECT waits behind what waits for the broker', async () => {
      await start({ mosquitto: { config: ['max_inflight_messages 1'] } });
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync('t/#', { qos: 0 });
      const heard: string[] = [];
      const all = new Promise<void>((resolve) => {
        subscriber.on('message', (topic) => {
          if (heard.push(topic) === 30) resolve();
        });
      });
      const client = await running.raw('client');
      const ids = Array.from({ length: 30 }, (_, index) => index + 1);
      client.send(...ids.map((messageId) => publish(`t/${messageId}`, { qos: 1, messageId })), { cmd: 'disconnect' });
      client.socket.end();
      await all;
      expect(heard).toEqual(ids.map((id) => `t/${id}`));
    });

    test('of a device are never exceeded by broker and door together', async () => {
      await start();
      const device = await running.raw('lock-17', { properties: { receiveMaximum: 1 } });
      device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 1 }] });
      await device.next('suback');
      const backend = await running.connect('backend');
      const answer = send(backend, '$dm/lock-17/t');
      const direct = await device.next('publish');
      await backend.publishAsync('news', 'n', { qos: 1 });
      await device.settled();
      expect(device.received).toEqual([]);
      device.acknowledge(direct);
      const news = await device.next('publish');
      expect(news.topic).toBe('news');
      expect(await answer).toBe(0x00);
      const second = send(backend, '$dm/lock-17/t');
      await device.settled();
      expect(device.received).toEqual([]);
      device.acknowledge(news);
      device.acknowledge(await device.next('publish'));
      expect(await second).toBe(0x00);
    });

    test('a PUBREC for a direct message is a protocol error, and no confirmation', async () => {
      await start();
      const device = await running.raw('lock-17');
      const answer = send(await running.connect('backend'), '$dm/lock-17/t');
      const { messageId = 0 } = await device.next('publish');
      device.send({ cmd: 'pubrec', messageId });
      expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x82 });
      expect(await answer).toBe(0x80);
    });
  });

  describe('Keep Alive', () => {
    test('of the broker is kept by a device that sends nothing but acknowledgements of direct messages', async () => {
      await start();
      const device = await running.raw('lock-17', { keepalive: 1 });
      const backend = await running.connect('backend');
      const since = performance.now();
      while (performance.now() - since < 3_500) {
        const answer = send(backend, '$dm/lock-17/t');
        device.acknowledge(await device.next('publish'));
        expect(await answer).toBe(0x00);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
      // The answers to the door's own pings are not the device's.
      expect(device.received).toEqual([]);
    });

    test('that a client breaks ends its connection, by the broker', async () => {
      await start();
      const client = await running.raw('silent', { keepalive: 1 });
      await client.closed;
      expect(await running.events.next('Disconnect')).toMatchObject({ identity: { clientId: 'silent' } });
    });
  });

  test('a session that is resumed keeps what was in flight, beside direct messages', async () => {
    await start();
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const device = await running.raw('lock-17', session);
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 2 }] });
    await device.next('suback');
    const backend = await running.connect('backend');
    await backend.publishAsync('news', 'n', { qos: 2 });
    const { messageId = 0 } = await device.next('publish');
    device.send({ cmd: 'pubrec', messageId });
    await device.next('pubrel');
    device.destroy();
    await running.events.next('Disconnect');
    expect(await send(backend, '$dm/lock-17/t')).toBe(0x83);
    const again = await running.raw('lock-17', session);
    expect(await again.next('pubrel')).toMatchObject({ messageId });
    const answer = send(backend, '$dm/lock-17/t');
    const direct = await again.next('publish');
    expect(direct.messageId).not.toBe(messageId);
    again.send({ cmd: 'pubcomp', messageId });
    again.acknowledge(direct);
    expect(await answer).toBe(0x00);
  });

  test('a broker that dies ends all connections, and one that is back takes them again', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1);
    await device.next('publish');
    await running.mosquitto.stop();
    await Promise.all([device.closed, backend.closed]);
    await running.mosquitto.start();
    const back = await running.raw('lock-17');
    const answer = send(await running.connect('backend'), '$dm/lock-17/t');
    back.acknowledge(await back.next('publish'));
    expect(await answer).toBe(0x00);
  });
});
