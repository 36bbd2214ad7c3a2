import { afterEach, describe, expect, test } from '@jest/globals';
import { generate, type IPublishPacket } from 'mqtt-packet';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { nextMessage, send } from '../embedded/harness.js';
import { connectPacket, startDoor, type Running, type StartOptions } from './harness.js';
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

  describe('a client that breaks the protocol', () => {
    test.each([
      ['a PUBLISH first', generate(publish('t'))],
      ['a PINGREQ first', Buffer.of(0xc0, 0)],
      ['a CONNECT with flags', Buffer.of(0x11, 2, 0, 0)],
      ['a CONNECT that ends within a field', Buffer.of(0x10, 3, 0, 4, 0x4d)],
      ['a Remaining Length of five bytes', Buffer.of(0x10, 0xff, 0xff, 0xff, 0xff, 0x01)],
      ['a CONNECT of 100,000 bytes', Buffer.of(0x10, 0xa0, 0x8d, 0x06)],
      ['noise', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
    ])('is disconnected at once, and the broker hears nothing: %s', async (_, bytes) => {
      await start();
      const stranger = running.stranger();
      stranger.socket.write(bytes);
      await stranger.closed;
      expect(stranger.received).toEqual([]);
    });

    test.each([
      ['a second CONNECT', 0x82, generate(connectPacket('again'), { protocolVersion: 5 })],
      ['a PUBLISH of QoS 3', 0x81, Buffer.of(0x36, 5, 0, 1, 0x74, 0, 1)],
      ['a topic that is no UTF-8', 0x81, Buffer.of(0x30, 5, 0, 2, 0xc3, 0x28, 0)],
      ['a topic with U+0000', 0x81, Buffer.of(0x30, 4, 0, 1, 0, 0)],
      ['a topic with a wildcard', 0x90, Buffer.of(0x30, 4, 0, 1, 0x23, 0)],
      ['neither topic nor alias', 0x82, Buffer.of(0x30, 3, 0, 0, 0)],
      ['an alias beyond the maximum', 0x94, Buffer.of(0x30, 7, 0, 1, 0x74, 3, 0x23, 0xff, 0xff)],
      ['a packet identifier of 0', 0x82, Buffer.of(0x32, 6, 0, 1, 0x74, 0, 0, 0)],
      ['a PUBREL with other flags', 0x81, Buffer.of(0x60, 2, 0, 1)],
      ['a SUBACK', 0x82, Buffer.of(0x90, 4, 0, 1, 0, 0)],
      ['a SUBSCRIBE without a filter', 0x82, Buffer.of(0x82, 3, 0, 1, 0)],
      ['a packet that is too large', 0x95, Buffer.of(0x30, 0xff, 0xff, 0xff, 0x7f)],
    ])('is told why after CONNACK: %s', async (_, reasonCode, bytes) => {
      await start();
      const client = await running.raw('client');
      client.socket.write(bytes);
      expect(await client.next('disconnect')).toMatchObject({ reasonCode });
      await client.closed;
      await running.events.next('Disconnect');
    });

    test('is not heard behind what is broken, and what was whole before it has gone to the broker', async () => {
      await start();
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync('t/#');
      const heard: string[] = [];
      subscriber.on('message', (topic) => heard.push(topic));
      const client = await running.raw('client');
      client.socket.write(
        Buffer.concat([
          generate(publish('t/before'), { protocolVersion: 5 }),
          Buffer.of(0x36, 0),
          generate(publish('t/behind'), { protocolVersion: 5 }),
        ]),
      );
      await client.closed;
      const last = nextMessage(subscriber);
      await subscriber.publishAsync('t/last', 'p');
      while ((await last).topic !== 't/last') await nextMessage(subscriber);
      expect(heard.filter((topic) => topic !== 't/last' && topic !== 't/before')).toEqual([]);
    });

    test('is disconnected where it says nothing', async () => {
      await start({ door: { connectTimeoutMs: 50 } });
      const stranger = running.stranger();
      await stranger.closed;
      expect(stranger.received).toEqual([]);
    });

    test('is not read beyond its CONNECT before it is admitted', async () => {
      let admit: () => void = () => undefined;
      const admitted = new Promise<void>((resolve) => (admit = resolve));
      await start({
        gate: {
          authenticator: {
            authenticate: async ({ clientId }) => {
              await admitted;
              return { ok: true, identity: { protocol: 'MQTT', clientId } };
            },
          },
        },
      });
      const client = running.stranger();
      const chunk = Buffer.alloc(
        1_000_000,
        generate(publish('t', { payload: 'x'.repeat(90) }), { protocolVersion: 5 }),
      );
      client.send(connectPacket('flood'));
      let sent = 0;
      while (sent < 64 && client.socket.write(chunk)) sent += 1;
      // What the kernel takes at both ends is all that goes: the socket is never drained.
      expect(client.socket.writableLength).toBeGreaterThan(0);
      admit();
      await client.next('connack');
    });
  });

  describe('CONNECT', () => {
    test('that is followed by packets at once is as good as one that waits', async () => {
      await start();
      const subscriber = await running.connect('subscriber');
      await subscriber.subscribeAsync('news', { qos: 1 });
      const received = nextMessage(subscriber);
      const hasty = running.stranger();
      hasty.send(connectPacket('hasty'), publish('news', { qos: 1, messageId: 1 }), { cmd: 'disconnect' });
      hasty.socket.end();
      expect(await received).toMatchObject({ topic: 'news' });
      await hasty.closed;
    });

    test('without a client ID gets one of the door, which policies are asked about', async () => {
      await start();
      const connected = running.stranger();
      connected.send({ ...connectPacket(''), username: 'u' });
      const { properties } = await connected.next('connack');
      expect(properties?.assignedClientIdentifier).toMatch(/^auto-[0-9a-f]{20}$/);
      expect(running.authorizer.asked[0]).toMatchObject({
        action: 'iot:Connect',
        resource: `client/${properties?.assignedClientIdentifier ?? ''}`,
      });
      const old = running.stranger(4);
      // By hand: mqtt-packet makes no such packet.
      old.socket.write(Buffer.of(0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 0, 0, 0, 0, 0));
      expect(await old.next('connack')).toMatchObject({ returnCode: 2 });
    });

    test('is told limits of the door: its own Receive Maximum, and the smaller Maximum Packet Size', async () => {
      await start({ mosquitto: { config: ['max_packet_size 5000', 'max_inflight_messages 7'] } });
      const client = running.stranger();
      client.send(connectPacket('client'));
      expect((await client.next('connack')).properties).toMatchObject({
        receiveMaximum: 4096,
        maximumPacketSize: 5000,
      });
    });

    test('that the policy refuses never reaches the broker, so that it takes nobody’s session over', async () => {
      const authorizer = fakeAuthorizer(
        ({ action, identity }) => action === 'iot:Connect' && identity.username === 'thief',
      );
      await start({ gate: { authorizer } });
      const device = await running.raw('lock-17');
      const thief = running.stranger();
      thief.send({ ...connectPacket('lock-17'), username: 'thief' });
      expect(await thief.next('connack')).toMatchObject({ reasonCode: 0x87 });
      await device.settled();
    });

    test.each(['$dm/lock-17/t', 'forbidden'])('with a will to %s is refused', async (topic) => {
      const authorizer = fakeAuthorizer(({ resource }) => resource === 'topic/forbidden');
      await start({ gate: { authorizer } });
      const client = running.stranger();
      const will = { topic, payload: Buffer.from('w'), qos: 0 as const, retain: false };
      client.send({ ...connectPacket('client'), will });
      expect(await client.next('connack')).toMatchObject({ reasonCode: 0x87 });
    });

    test('that the broker refuses is refused, and told', async () => {
      await start({ gate: { authenticatedBy: 'broker' }, mosquitto: { users: { lock: 'secret' } } });
      const stranger = running.stranger();
      stranger.send({ ...connectPacket('c'), username: 'lock', password: Buffer.from('guess') });
      expect((await stranger.next('connack')).reasonCode).toBeGreaterThanOrEqual(0x80);
      expect(await running.events.next('Connect')).toMatchObject({ reason: 'INVALID_CREDENTIALS' });
      const device = await running.connect('c', { username: 'lock', password: 'secret' });
      expect(device.connected).toBe(true);
      expect(await running.events.next('Connect', ({ identity }) => identity.username === 'lock')).toBeDefined();
    });

    test('is answered Server unavailable where the broker is away', async () => {
      await start();
      await running.mosquitto.stop();
      const client = running.stranger();
      client.send(connectPacket('client'));
      expect(await client.next('connack')).toMatchObject({ reasonCode: 0x88 });
      const old = running.stranger(4);
      old.send({ ...connectPacket('client'), protocolVersion: 4 });
      expect(await old.next('connack')).toMatchObject({ returnCode: 3 });
    });

    test('with a client ID in use ends the older connection, whose messages have their outcome at once', async () => {
      await start();
      const first = await running.raw('lock-17');
      const backend = await running.connect('backend');
      const answer = send(backend, '$dm/lock-17/t');
      await first.next('publish');
      const second = await running.raw('lock-17');
      await first.closed;
      expect(await answer).toBe(0x80);
      const next = send(backend, '$dm/lock-17/t');
      second.acknowledge(await second.next('publish'));
      expect(await next).toBe(0x00);
    });
  });
});
