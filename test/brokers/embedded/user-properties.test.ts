import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { IPublishPacket } from 'mqtt-packet';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';
import { startBroker, type RawClient, type Running } from './harness.js';

const PAIRS = [
  ['a', '1'],
  ['b', '2'],
  ['a', '3'],
  ['__proto__', '4'],
  ['b', ''],
  ['b', '5'],
] as const;
/** The pairs as they are on the wire (MQTT 5, sections 1.5.7 and 3.3.2.3.7). */
const WIRE = Buffer.concat(PAIRS.map(([name, value]) => Buffer.concat([Buffer.of(0x26), mqtt(name), mqtt(value)])));

let running: Running;
beforeEach(async () => {
  running = await startBroker();
});
afterEach(() => running.stop());

describe('user properties keep their order, between names too', () => {
  test('in a direct message, to whose device no control property comes', async () => {
    const device = await running.raw('lock-17');
    const bytes = record(device);
    const backend = await running.raw('backend');
    const pairs = [['dm-timeout-ms', '5000'], ...PAIRS, ['dm-other', 'x']] as const;
    backend.publish('$dm/lock-17/cmd', 1, { properties: properties(pairs) });
    await device.next('publish');
    expect(bytes().includes(WIRE)).toBe(true);
    expect(bytes().includes('dm-')).toBe(false);
  });

  test('in an ordinary message that Aedes routes', async () => {
    const device = await running.raw('lock-17');
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/b', qos: 1 }] });
    await device.next('suback');
    const bytes = record(device);
    const backend = await running.raw('backend');
    backend.publish('a/b', 1, { properties: properties(PAIRS) });
    await device.next('publish');
    expect(bytes().includes(WIRE)).toBe(true);
  });

  test('in a retained message that is asked for', async () => {
    const backend = await running.raw('backend');
    backend.publish('a/b', 1, { retain: true, properties: properties(PAIRS) });
    await backend.next('puback');
    expect((await running.broker.operations.getRetainedMessage('a/b'))?.userProperties).toEqual(PAIRS);
  });
});

function properties(pairs: Iterable<readonly [string, string]>): NonNullable<IPublishPacket['properties']> {
  return forMqttPacket({ userProperties: toUserProperties(pairs) });
}

function record({ socket }: RawClient): () => Buffer {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  return () => Buffer.concat(chunks);
}

/** A UTF-8 string of MQTT (section 1.5.4). */
function mqtt(text: string): Buffer {
  return Buffer.concat([Buffer.of(0, Buffer.byteLength(text)), Buffer.from(text)]);
}
