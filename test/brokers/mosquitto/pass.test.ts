import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { nextMessage, send } from '../embedded/harness.js';
import { startDoor, type Running } from './harness.js';
import { hasMosquitto } from './mosquitto.js';

const describeWith = hasMosquitto ? describe : describe.skip;

let running: Running;
describeWith('through the door before Mosquitto', () => {
  beforeEach(async () => {
    running = await startDoor();
  });
  afterEach(() => running.stop());

  test.each([4, 5] as const)('ordinary messages of every QoS pass, in protocol version %i', async (protocolVersion) => {
    const subscriber = await running.connect('subscriber', { protocolVersion });
    const publisher = await running.connect('publisher', { protocolVersion });
    await subscriber.subscribeAsync('news/#', { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      const received = nextMessage(subscriber);
      await publisher.publishAsync(`news/${qos}`, `payload ${qos}`, { qos });
      expect(await received).toMatchObject({ topic: `news/${qos}`, payload: `payload ${qos}`, packet: { qos } });
    }
  });

  test('a direct message reaches a device that never subscribed, and its PUBACK is the sender’s', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    const answer = send(backend, '$dm/lock-17/commands/open', {}, 'now');
    const message = await device.next('publish');
    expect(message).toMatchObject({ topic: 'commands/open', qos: 1, retain: false, dup: false });
    device.acknowledge(message);
    expect(await answer).toBe(0x00);
  });
});
