import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { OUTCOME_TOPIC } from '../../../src/brokers/direct/outcome-message.js';
import { DirectLink } from '../../../src/brokers/link/direct-link.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { startBroker, type RawClient, type Running } from './harness.js';

let running: Running;
let sender: RawClient;
let denied: Set<string>;
let forbidden: string | undefined;

beforeEach(async () => {
  denied = new Set();
  forbidden = undefined;
  const authorizer = fakeAuthorizer(({ resource, action }) => denied.has(resource) || action === forbidden);
  running = await startBroker({
    provider: { authorizer },
    broker: { waiting: { perClient: 3, perSender: 2, messages: 4 } },
  });
  sender = await running.raw('backend');
});
afterEach(() => running.stop());

const waiting = (waitMs: number, more: Record<string, string> = {}): Partial<IPublishPacket> => ({
  properties: { userProperties: { 'dm-wait-ms': String(waitMs), ...more } },
});
const code = async (of = sender): Promise<number> => (await of.next('puback')).reasonCode ?? 0;
const atBroker = async (count: number): Promise<void> => {
  while (running.broker.load.pendingMessages < count) await new Promise(setImmediate);
};

describe('a message for a device that is about to wake', () => {
  test('waits, and is delivered once behind CONNACK; the PUBACK of the device answers it', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    await atBroker(1);
    const device = await running.raw('lock-17');
    const packet = await device.next('publish');
    expect([packet.topic, packet.properties]).toEqual(['cmd', undefined]);
    device.acknowledge(packet);
    expect(await code()).toBe(0);
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('goes at once to one that is connected', async () => {
    const device = await running.raw('lock-17');
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    device.acknowledge(await device.next('publish'));
    expect(await code()).toBe(0);
  });

  test('is 0x90 when its time is over, and not delivered after', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(50));
    expect(await code()).toBe(0x90);
    const device = await running.raw('lock-17');
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('is 0x83 where the device is away with a session', async () => {
    const device = await running.raw('lock-17', { clean: false, properties: { sessionExpiryInterval: 60 } });
    device.send({ cmd: 'disconnect' });
    await device.closed;
    sender.publish('$dm/lock-17/cmd', 1, waiting(50));
    expect(await code()).toBe(0x83);
  });

  test('has the timeout from the delivery on', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000, { 'dm-timeout-ms': '50' }));
    await atBroker(1);
    const device = await running.raw('lock-17');
    await device.next('publish');
    expect(await code()).toBe(0x80);
  });

  test('is not delivered where its receiver may not receive, as policies say by then', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    await atBroker(1);
    denied.add('topic/cmd');
    const woken = await running.raw('lock-17');
    expect(await code()).toBe(0x87);
    await woken.settled();
    expect(woken.received).toEqual([]);
  });

  test('is not delivered where its sender may not send any more', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    await atBroker(1);
    forbidden = 'iot:SendDirectMessage';
    const woken = await running.raw('lock-17');
    expect(await code()).toBe(0x87);
    await woken.settled();
    expect(woken.received).toEqual([]);
  });

  test('is withdrawn with the connection of its sender', async () => {
    sender.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    await atBroker(1);
    sender.destroy();
    while (running.broker.load.pendingMessages > 0) await new Promise(setImmediate);
    const device = await running.raw('lock-17');
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('keeps its place: several are delivered in order', async () => {
    sender.publish('$dm/lock-17/first', 1, waiting(60_000));
    sender.publish('$dm/lock-17/second', 2, waiting(60_000));
    await atBroker(2);
    const device = await running.raw('lock-17');
    const topics = [await device.next('publish'), await device.next('publish')].map(({ topic }) => topic);
    expect(topics).toEqual(['first', 'second']);
  });

  test('is 0x97 beyond what may wait of a sender, for a device, and in all', async () => {
    const others = await Promise.all(['b', 'c', 'd'].map((name) => running.raw(name)));
    for (const id of [1, 2]) sender.publish('$dm/lock-17/cmd', id, waiting(60_000));
    await atBroker(2);
    sender.publish('$dm/lock-18/cmd', 3, waiting(60_000));
    expect(await code()).toBe(0x97);
    others[0]?.publish('$dm/lock-17/cmd', 1, waiting(60_000));
    await atBroker(3);
    others[0]?.publish('$dm/lock-17/cmd', 2, waiting(60_000));
    expect(await code(others[0])).toBe(0x97);
    others[1]?.publish('$dm/lock-18/cmd', 1, waiting(60_000));
    await atBroker(4);
    others[2]?.publish('$dm/lock-18/cmd', 1, waiting(60_000));
    expect(await code(others[2])).toBe(0x97);
  });

  test.each([['300001'], ['-1'], ['1.5'], ['soon'], ['']])('with a wait of "%s" is refused', async (value) => {
    sender.publish('$dm/lock-17/cmd', 1, { properties: { userProperties: { 'dm-wait-ms': value } } });
    expect(await code()).toBe(0x90);
  });
});

describe('the service', () => {
  const service = () => running.raw('service', { username: 'tightbeam', password: Buffer.from('secret') });

  test('is told when a client is connected, and nothing is delivered', async () => {
    const asking = await service();
    asking.publish('$dm/lock-17/$connected', 1, waiting(60_000, { 'dm-principal': 'a' }));
    await atBroker(1);
    const device = await running.raw('lock-17');
    const { topic, payload } = await asking.next('publish');
    expect([topic, JSON.parse(payload.toString())]).toEqual([
      OUTCOME_TOPIC,
      { packetId: 1, reason: 'CLIENT_NOT_CONNECTED', written: 'no', connected: true },
    ]);
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('may have as many waiting for each of its callers as any sender', async () => {
    const asking = await service();
    for (const [index, principal] of ['a', 'a', 'b'].entries()) {
      asking.publish('$dm/lock-17/$connected', index + 1, waiting(60_000, { 'dm-principal': principal }));
    }
    await atBroker(3);
    asking.publish('$dm/lock-18/$connected', 4, waiting(60_000, { 'dm-principal': 'a' }));
    expect(await code(asking)).toBe(0x97);
  });

  test('alone can ask so: of others the topic is reserved', async () => {
    sender.publish('$dm/lock-17/$connected', 1, waiting(60_000));
    expect(await code()).toBe(0x90);
  });

  test('asks on connections of their own, and is told by its link', async () => {
    const link = new DirectLink({
      urls: [`mqtt://127.0.0.1:${running.port}`],
      username: 'tightbeam',
      password: 'secret',
      connections: 1,
      maxConnections: 2,
      onConnection: () => undefined,
    });
    await link.whenReady();
    const wait = { targetClientId: 'lock-17', principal: 'a', waitMs: 60_000 };
    const told = link.connected(wait);
    await atBroker(1);
    await running.raw('lock-17');
    expect(await told).toBe('connected');
    expect(await link.connected(wait)).toBe('connected');
    expect(await link.connected({ ...wait, targetClientId: 'nobody', waitMs: 50 })).toMatchObject({
      reason: 'CLIENT_NOT_CONNECTED',
      written: 'no',
    });
    const caller = new AbortController();
    const unwanted = link.connected({ ...wait, targetClientId: 'nobody' }, caller.signal);
    await atBroker(1);
    caller.abort();
    expect(await unwanted).toMatchObject({ reason: 'CLIENT_NOT_CONNECTED', written: 'no' });
    expect(running.broker.load.pendingMessages).toBe(0);
    expect(await link.connected(wait, caller.signal)).toMatchObject({ reason: 'BROKER_UNAVAILABLE', written: 'no' });
    await link.close();
  });

  test.each([
    ['another question', (asking: RawClient) => asking, '2'],
    ['what is no number', (asking: RawClient) => asking, 'x'],
    ['the question of another connection', () => sender, '1'],
  ])('withdraws nothing by %s', async (_, by, packetId) => {
    const asking = await service();
    asking.publish('$dm/lock-17/$connected', 1, waiting(60_000, { 'dm-principal': 'a' }));
    await atBroker(1);
    const properties = { userProperties: { 'dm-withdraw': packetId } };
    by(asking).send({
      cmd: 'publish',
      topic: '$dm/lock-17/$connected',
      payload: '',
      qos: 0,
      retain: false,
      dup: false,
      properties,
    });
    await by(asking).settled();
    expect(running.broker.load.pendingMessages).toBe(1);
  });
});
