import { describe, expect, test } from '@jest/globals';
import { DirectLinkRig, MESSAGE } from './direct-link-rig.js';
import type { Received } from './scripted-broker.js';

const rig = new DirectLinkRig();
const { deliver, state } = rig;
const connect = () => rig.connect();

describe('a broker that is late', () => {
  /** A message whose PUBACK is withheld, past the deadline of its sender. */
  async function overdue(): Promise<Received> {
    const held = new Promise<Received>((resolve) => (rig.broker.onPublish = resolve));
    expect(await deliver({ ...MESSAGE, timeoutMs: 1 })).toBe('PUBACK_TIMEOUT');
    rig.broker.onPublish = ({ puback }) => {
      puback(0);
    };
    return held;
  }

  test('with one answer holds nobody else up, and is used as before when it has answered', async () => {
    await connect().whenReady();
    const late = await overdue();
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    while (rig.link.connections.some((one) => one.state !== 'ready')) await state('ready');
    expect(rig.broker.connects).toBe(2);
    const sockets: unknown[] = [];
    rig.broker.onPublish = ({ puback, socket }) => {
      sockets.push(socket);
      puback(0);
    };
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    expect(sockets).not.toContain(late.socket);
    // One more than was asked for at the most: the other one leaves.
    const left = state('down');
    late.puback(0);
    expect((await left).details).toContain('its place');
    expect(rig.link.connections).toHaveLength(1);
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    expect(rig.states.filter((event) => event.state === 'down')).toHaveLength(1);
  });

  test('on every connection is used all the same: a device that is late costs no other a message', async () => {
    await connect().whenReady();
    const answers: Received[] = [];
    for (let round = 0; round < 3; round += 1) {
      answers.push(await overdue());
      expect(rig.link.ready).toBe(true);
      expect(await deliver({ ...MESSAGE, targetClientId: 'other' })).toBe('DELIVERED');
    }
    expect(rig.link.connections.length).toBeLessThanOrEqual(2);
    for (const { puback } of answers) puback(0);
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
  });
});

test('a message larger than the broker takes is refused at once, and those that are in flight go on', async () => {
  rig.broker.connack = { properties: { maximumPacketSize: 1_000 } };
  await connect().whenReady();
  const held = new Promise<Received>((resolve) => (rig.broker.onPublish = resolve));
  const innocent = deliver(MESSAGE);
  const { puback } = await held;
  expect(await deliver({ ...MESSAGE, payload: Buffer.alloc(1_000) })).toBe('PAYLOAD_TOO_LARGE');
  puback(0);
  expect(await innocent).toBe('DELIVERED');
  expect(rig.broker.connects).toBe(1);
});
