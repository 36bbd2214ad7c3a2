import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { MqttPublisher } from '../../../src/brokers/link/publisher.js';
import type { BrokerMessage } from '../../../src/operations/broker.js';
import { ScriptedBroker, type Received } from './scripted-broker.js';

const MESSAGE: BrokerMessage = { topic: 'a/b', payload: Buffer.from('now'), qos: 1, retain: false, properties: {} };

let broker: ScriptedBroker;
let publisher: MqttPublisher;
let received: Received[];

beforeEach(async () => {
  broker = await ScriptedBroker.start();
  received = [];
  broker.onPublish = (one) => {
    received.push(one);
    one.puback(0);
  };
});
afterEach(async () => {
  await publisher.close();
  await broker.stop();
});

async function connect(timeoutMs?: number): Promise<void> {
  publisher = new MqttPublisher({
    urls: [broker.url],
    username: 'tightbeam',
    ...(timeoutMs !== undefined && { timeoutMs }),
  });
  await publisher.whenReady();
}

/** Settles when that many messages have come; they are left without an answer. */
function holding(count: number): Promise<void> {
  return new Promise((resolve) => {
    broker.onPublish = (one) => {
      if (received.push(one) === count) resolve();
    };
  });
}

describe('publishing', () => {
  test('settles with the PUBACK at QoS 1, and when it is written at QoS 0', async () => {
    await connect();
    await publisher.publish(MESSAGE);
    await publisher.publish({ ...MESSAGE, qos: 0, retain: true });
    await publisher.publish(MESSAGE);
    expect(received.map(({ packet: { qos, retain } }) => [qos, retain])).toEqual([
      [1, false],
      [0, true],
      [1, false],
    ]);
  });

  test('is not for a subscriber: 0x10 is success, 0x87 is not', async () => {
    await connect();
    broker.onPublish = ({ puback }) => {
      puback(0x10);
    };
    await publisher.publish(MESSAGE);
    broker.onPublish = ({ puback }) => {
      puback(0x87);
    };
    await expect(publisher.publish(MESSAGE)).rejects.toMatchObject({
      reason: 'BROKER_UNAVAILABLE',
      message: expect.stringContaining('0x87'),
    });
  });

  test('of more than the broker takes is refused at once, and those that are in flight go on', async () => {
    broker.connack = { properties: { maximumPacketSize: 1_000 } };
    await connect();
    const held = holding(1);
    const innocent = publisher.publish(MESSAGE);
    await held;
    const large = publisher.publish({ ...MESSAGE, payload: Buffer.alloc(1_000) });
    await expect(large).rejects.toMatchObject({ reason: 'PAYLOAD_TOO_LARGE' });
    received[0]?.puback(0);
    await innocent;
    expect(broker.connects).toBe(1);
    expect(received).toHaveLength(1);
  });

  test('never exceeds the Receive Maximum of the broker', async () => {
    broker.connack = { properties: { receiveMaximum: 1 } };
    await connect();
    const first = holding(1);
    const published = [publisher.publish(MESSAGE), publisher.publish(MESSAGE)];
    await first;
    const second = holding(2);
    expect(received).toHaveLength(1);
    received[0]?.puback(0);
    await second;
    received[1]?.puback(0);
    await Promise.all(published);
  });

  test('is over where it was answered: what the loss of the connection took is not published later', async () => {
    await connect();
    const held = holding(1);
    const lost = publisher.publish(MESSAGE);
    await held;
    const again = holding(2);
    broker.dropAll();
    await expect(lost).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' });
    await expect(publisher.publish(MESSAGE)).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' });
    await publisher.whenReady();
    const last = publisher.publish({ ...MESSAGE, payload: Buffer.from('last') });
    await again;
    received[1]?.puback(0);
    await last;
    expect(received.map(({ packet }) => packet.payload.toString())).toEqual(['now', 'last']);
  });

  test('waits no longer than its time-out, and the late PUBACK is nobody else’s', async () => {
    await connect(20);
    const held = holding(1);
    const late = publisher.publish(MESSAGE);
    await held;
    await expect(late).rejects.toMatchObject({ message: expect.stringContaining('within 20 ms') });
    const next = holding(2);
    const other = publisher.publish(MESSAGE);
    await next;
    expect(received[1]?.packet.messageId).not.toBe(received[0]?.packet.messageId);
    received[0]?.puback(0x97);
    received[1]?.puback(0);
    await other;
  });
});

describe('closing', () => {
  test('waits for no PUBACK', async () => {
    await connect();
    const held = holding(1);
    const unanswered = publisher.publish(MESSAGE);
    await held;
    const refused = expect(unanswered).rejects.toMatchObject({ reason: 'BROKER_UNAVAILABLE' });
    await publisher.close();
    await refused;
  });

  test('waits no more than a moment for a broker that reads no more', async () => {
    await connect();
    broker.pauseAll();
    const stuck = Array.from({ length: 40 }, () =>
      publisher.publish({ ...MESSAGE, qos: 0, payload: Buffer.alloc(1_000_000) }),
    );
    const answers = Promise.allSettled(stuck);
    await publisher.close();
    expect((await answers).some(({ status }) => status === 'rejected')).toBe(true);
  });
});
