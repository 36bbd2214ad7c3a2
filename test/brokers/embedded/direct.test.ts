import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { send, startBroker, type Running } from './harness.js';

let running: Running;
beforeEach(async () => {
  running = await startBroker();
});
afterEach(() => running.stop());

describe('a direct message', () => {
  test('reaches a device that never subscribed, and its PUBACK is the sender’s', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.connect('tightbeam');
    let answered = false;
    const answer = send(backend, '$dm/lock-17/commands/open', {}, 'now').then((code) => {
      answered = true;
      return code;
    });
    const message = await device.next('publish');
    expect(message).toMatchObject({ topic: 'commands/open', qos: 1, retain: false, dup: false });
    expect(message.payload.toString()).toBe('now');
    // The sender waits for as long as the device does.
    await device.settled();
    expect(answered).toBe(false);
    expect(running.broker.load.pendingMessages).toBe(1);
    device.acknowledge(message);
    expect(await answer).toBe(0x00);
    expect(running.broker.load.pendingMessages).toBe(0);
  });
});
