import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { BrokerConnectionEvent } from '../../../src/brokers/link/connection-pool.js';
import { DirectLink } from '../../../src/brokers/link/direct-link.js';
import type { DirectMessage } from '../../../src/direct/message.js';
import { type Received, ScriptedBroker } from './scripted-broker.js';

const MESSAGE: DirectMessage = {
  targetClientId: 'lock/17',
  topic: 'cmd/open',
  payload: Buffer.from('now'),
  confirmation: true,
  timeoutMs: 5_000,
  properties: {},
};

let broker: ScriptedBroker;
let link: DirectLink;
let states: BrokerConnectionEvent[];
let onState: (event: BrokerConnectionEvent) => void;

function connect(): DirectLink {
  link = new DirectLink({
    urls: [broker.url],
    username: 'tightbeam',
    password: 'secret',
    connections: 1,
    maxConnections: 1,
    onConnection: (event) => {
      states.push(event);
      onState(event);
    },
  });
  return link;
}

async function deliver(message: DirectMessage): Promise<string> {
  return (await link.deliver(message)).reason;
}

/** Settles when a connection reaches the state. */
function state(wanted: BrokerConnectionEvent['state']): Promise<BrokerConnectionEvent> {
  return new Promise((resolve) => {
    onState = (event) => {
      if (event.state === wanted) resolve(event);
    };
  });
}

beforeEach(async () => {
  broker = await ScriptedBroker.start();
  states = [];
  onState = () => undefined;
});

afterEach(async () => {
  await link.close();
  await broker.stop();
});

describe('a broker that is late', () => {
  /** A message whose PUBACK is withheld, past the deadline of its sender. */
  async function overdue(): Promise<Received> {
    const held = new Promise<Received>((resolve) => (broker.onPublish = resolve));
    expect(await deliver({ ...MESSAGE, timeoutMs: 1 })).toBe('PUBACK_TIMEOUT');
    broker.onPublish = ({ puback }) => {
      puback(0);
    };
    return held;
  }

  test('with one answer holds nobody else up, and is used as before when it has answered', async () => {
    await connect().whenReady();
    const late = await overdue();
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    while (link.connections.some((one) => one.state !== 'ready')) await state('ready');
    expect(broker.connects).toBe(2);
    const sockets: unknown[] = [];
    broker.onPublish = ({ puback, socket }) => {
      sockets.push(socket);
      puback(0);
    };
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    expect(sockets).not.toContain(late.socket);
    // One more than was asked for at the most: the other one leaves.
    const left = state('down');
    late.puback(0);
    expect((await left).details).toContain('its place');
    expect(link.connections).toHaveLength(1);
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    expect(states.filter((event) => event.state === 'down')).toHaveLength(1);
  });

  test('on every connection is used all the same: a device that is late costs no other a message', async () => {
    await connect().whenReady();
    const answers: Received[] = [];
    for (let round = 0; round < 3; round += 1) {
      answers.push(await overdue());
      expect(link.ready).toBe(true);
      expect(await deliver({ ...MESSAGE, targetClientId: 'other' })).toBe('DELIVERED');
    }
    expect(link.connections.length).toBeLessThanOrEqual(2);
    for (const { puback } of answers) puback(0);
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
  });
});

test('a message larger than the broker takes is refused at once, and those that are in flight go on', async () => {
  broker.connack = { properties: { maximumPacketSize: 1_000 } };
  await connect().whenReady();
  const held = new Promise<Received>((resolve) => (broker.onPublish = resolve));
  const innocent = deliver(MESSAGE);
  const { puback } = await held;
  expect(await deliver({ ...MESSAGE, payload: Buffer.alloc(1_000) })).toBe('PAYLOAD_TOO_LARGE');
  puback(0);
  expect(await innocent).toBe('DELIVERED');
  expect(broker.connects).toBe(1);
});

test('a device that never answers is never reported as having answered, past 65,536 messages to others', async () => {
  const silent: Pick<Received, 'packet' | 'socket'>[] = [];
  const reused: Received[] = [];
  broker.onPublish = (received) => {
    const { packet, socket, puback } = received;
    if (silent.some((one) => one.socket === socket && one.packet.messageId === packet.messageId)) reused.push(received);
    if (packet.topic.startsWith('$dm/dead/')) silent.push(received);
    else puback(0);
  };
  await connect().whenReady();
  // Its time is never over here: a broker that owes an answer would have another connection take the messages.
  const dead = { ...MESSAGE, targetClientId: 'dead', timeoutMs: 90_000 };
  const unanswered: Promise<string>[] = [];
  for (let sent = 0; sent < 68_000; sent += 1_000) {
    if (sent % 10_000 === 0) unanswered.push(deliver(dead));
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => deliver(MESSAGE)));
    expect(new Set(answers)).toEqual(new Set(['DELIVERED']));
  }
  await link.close();
  expect(await Promise.all(unanswered)).not.toContain('DELIVERED');
  expect(reused).toEqual([]);
  expect(silent).toHaveLength(7);
}, 120_000);
