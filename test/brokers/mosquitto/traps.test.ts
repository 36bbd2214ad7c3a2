import { afterEach, describe, expect, test } from '@jest/globals';
import { send } from '../embedded/harness.js';
import { startDoor, type Running } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

let running: Running;

(hasMosquitto ? describe : describe.skip)('the door before Mosquitto', () => {
  afterEach(() => running.stop());

  test('passes subscription identifiers on, and direct messages have none', async () => {
    running = await startDoor();
    const device = await running.raw('lock-17');
    const subscriptions = [{ topic: 'news/#', qos: 1 as const }];
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions, properties: { subscriptionIdentifier: 7 } });
    await device.next('suback');
    const backend = await running.connect('backend');
    await backend.publishAsync('news/1', 'n', { qos: 1 });
    const ordinary = await device.next('publish');
    expect(ordinary.properties).toMatchObject({ subscriptionIdentifier: 7 });
    device.acknowledge(ordinary);
    const answer = send(backend, '$dm/lock-17/news/1');
    const direct = await device.next('publish');
    expect(direct.properties?.subscriptionIdentifier).toBeUndefined();
    device.acknowledge(direct);
    expect(await answer).toBe(0x00);
  });

  test('passes on what the broker sends once more, with DUP, to a session that is resumed', async () => {
    running = await startDoor();
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const device = await running.raw('lock-17', session);
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 1 }] });
    await device.next('suback');
    await (await running.connect('backend')).publishAsync('news', 'n', { qos: 1 });
    expect(await device.next('publish')).toMatchObject({ topic: 'news', dup: false });
    device.destroy();
    await running.events.next('Disconnect');
    const again = await running.raw('lock-17', session);
    const repeated = await again.next('publish');
    expect(repeated).toMatchObject({ topic: 'news', dup: true });
    again.acknowledge(repeated);
    await again.settled();
  });

  test('holds little for a device that does not read, and others do not wait for it', async () => {
    running = await startDoor({ mosquitto: { config: ['max_queued_messages 0'] } });
    const slow = await running.raw('slow');
    slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'flood', qos: 0 }] });
    await slow.next('suback');
    slow.socket.pause();
    const publisher = await running.connect('publisher');
    const chunk = Buffer.alloc(256 * 1024);
    // 64 MiB, which the broker has taken over in the end.
    for (let sent = 0; sent < 256; sent++) await publisher.publishAsync('flood', chunk, { qos: 1 });
    const stream = running.broker.connectionOf('slow')?.client.stream;
    expect(stream?.writableLength).toBeGreaterThan(0);
    expect(stream?.writableLength).toBeLessThan(4 * chunk.length);
    const device = await running.raw('lock-17');
    const answer = send(publisher, '$dm/lock-17/t');
    device.acknowledge(await device.next('publish'));
    expect(await answer).toBe(0x00);
  });
});
