import { describe, expect, test } from '@jest/globals';
import type { DirectMessage } from '../../../src/direct/message.js';
import { DirectLinkRig, MESSAGE } from './direct-link-rig.js';
import { type Received, ScriptedBroker } from './scripted-broker.js';

const rig = new DirectLinkRig();
const { deliver, state } = rig;
const connect = (options?: { connections?: number; maxConnections?: number }) => rig.connect(options);

describe('what the PUBACK says', () => {
  test.each<[number, string]>([
    [0x00, 'DELIVERED'],
    [0x83, 'CLIENT_OFFLINE_WITH_SESSION'],
    [0x87, 'RECEIVER_NOT_AUTHORIZED'],
    [0x90, 'CLIENT_NOT_CONNECTED'],
    [0x99, 'PAYLOAD_TOO_LARGE'],
    [0x97, 'RECEIVER_THROTTLED'],
    [0x80, 'RECEIVER_DISCONNECTED'],
    [0x10, 'DELIVERY_PLUGIN_MISSING'],
    [0x91, 'IDEMPOTENCY_KEY_REUSED'],
  ])('0x%s is %s', async (code, reason) => {
    rig.broker.onPublish = ({ puback }) => {
      puback(code);
    };
    await connect().whenReady();
    expect(await deliver(MESSAGE)).toBe(reason);
    expect(rig.link.inFlight).toBe(0);
  });

  test('0x80 at the timeout is the timeout', async () => {
    rig.broker.onPublish = ({ puback, packet }) => {
      setTimeout(puback, Number(packet.properties?.userProperties?.['dm-timeout-ms']), 0x80);
    };
    await connect().whenReady();
    expect(await deliver({ ...MESSAGE, timeoutMs: 50 })).toBe('PUBACK_TIMEOUT');
  });

  test('counts, and the connection with it, though this process stood still past the deadline and the grace', async () => {
    rig.broker.onPublish = ({ puback }) => {
      puback(0);
      for (const end = performance.now() + 1_300; performance.now() < end;);
    };
    await connect().whenReady();
    expect(await deliver({ ...MESSAGE, timeoutMs: 50 })).toBe('DELIVERED');
    expect(rig.link.ready).toBe(true);
  });

  test('without confirmation, 0x00 is DISPATCHED', async () => {
    rig.broker.onPublish = ({ puback }) => {
      puback(0);
    };
    await connect().whenReady();
    expect(await deliver({ ...MESSAGE, confirmation: false })).toBe('DISPATCHED');
  });
});

describe('what is sent', () => {
  async function published(message: DirectMessage): Promise<Received['packet']> {
    const packet = new Promise<Received['packet']>((resolve) => {
      rig.broker.onPublish = (received) => {
        received.puback(0);
        resolve(received.packet);
      };
    });
    await connect().whenReady();
    await deliver(message);
    return packet;
  }

  test('a QoS 1 PUBLISH on the direct topic, the client ID percent-encoded, with the timeout as a property', async () => {
    const packet = await published(MESSAGE);
    expect(packet).toMatchObject({
      topic: '$dm/lock%2F17/cmd/open',
      qos: 1,
      retain: false,
      payload: Buffer.from('now'),
    });
    expect({ ...packet.properties?.userProperties }).toEqual({ 'dm-timeout-ms': '5000' });
  });

  test('every property of the message, user properties that repeat, and no control property of the caller', async () => {
    const packet = await published({
      ...MESSAGE,
      confirmation: false,
      properties: {
        payloadFormatIndicator: true,
        contentType: 'text/plain',
        responseTopic: 'answers',
        correlationData: Buffer.from([1, 2]),
        userProperties: [
          ['a', '1'],
          ['a', '2'],
          ['__proto__', 'x'],
          ['dm-timeout-ms', '15000'],
        ],
      },
    });
    expect(packet.properties).toMatchObject({
      payloadFormatIndicator: true,
      contentType: 'text/plain',
      responseTopic: 'answers',
      correlationData: Buffer.from([1, 2]),
    });
    const user = packet.properties?.userProperties ?? {};
    expect(user['a']).toEqual(['1', '2']);
    expect(user['dm-timeout-ms']).toBe('5000');
    expect(user['dm-qos']).toBe('0');
  });
});

test('user properties keep their order, between names too', async () => {
  rig.broker.recording = true;
  rig.broker.onPublish = ({ puback }) => {
    puback(0);
  };
  await connect().whenReady();
  const userProperties = [
    ['a', '1'],
    ['b', '2'],
    ['a', '3'],
    ['__proto__', '4'],
    ['b', ''],
  ] as const;
  await deliver({ ...MESSAGE, properties: { userProperties } });
  const written = userProperties.map(([name, value]) => Buffer.concat([Buffer.of(0x26), mqtt(name), mqtt(value)]));
  expect(Buffer.concat(rig.broker.bytes).includes(Buffer.concat(written))).toBe(true);
});

/** A UTF-8 string of MQTT (section 1.5.4). */
function mqtt(text: string): Buffer {
  return Buffer.concat([Buffer.of(0, Buffer.byteLength(text)), Buffer.from(text)]);
}

describe('a broker that cannot deliver', () => {
  test('is answered BROKER_UNAVAILABLE at once while there is no connection', async () => {
    const { url } = rig.broker;
    await rig.broker.stop();
    rig.broker = await ScriptedBroker.start();
    rig.connect({ url });
    expect(rig.link.ready).toBe(false);
    expect(await deliver(MESSAGE)).toBe('BROKER_UNAVAILABLE');
  });

  test('is answered DELIVERY_PLUGIN_MISSING where the probe was routed', async () => {
    rig.broker.probe = 'route';
    const missing = state('pluginMissing');
    connect();
    expect((await missing).details).toContain('routed as an ordinary topic');
    expect(await deliver(MESSAGE)).toBe('DELIVERY_PLUGIN_MISSING');
  });

  test('is not ready where the service user may not publish to $dm/#', async () => {
    rig.broker.probe = 'refuse';
    const refused = state('refused');
    connect();
    expect((await refused).details).toContain('$dm/#');
    expect(await deliver(MESSAGE)).toBe('BROKER_UNAVAILABLE');
  });

  test('stops being ready when a message is routed', async () => {
    rig.broker.onPublish = ({ puback }) => {
      puback(0x10);
    };
    await connect().whenReady();
    await deliver(MESSAGE);
    expect(rig.link.ready).toBe(false);
  });
});

describe('a connection that is lost', () => {
  test('answers everything in flight once, sends nothing again, and comes back by itself', async () => {
    let received = 0;
    const both = new Promise<void>((resolve) => {
      rig.broker.onPublish = () => {
        received += 1;
        if (received === 2) resolve();
      };
    });
    await connect().whenReady();
    const answers = Promise.all([deliver(MESSAGE), deliver(MESSAGE)]);
    await both;
    const ready = state('ready');
    rig.broker.dropAll();
    expect(await answers).toEqual(['BROKER_UNAVAILABLE', 'BROKER_UNAVAILABLE']);
    await ready;
    expect(rig.broker.connects).toBe(2);
    expect(received).toBe(2);
    expect(rig.link.inFlight).toBe(0);
  });
});

test('messages of one turn go on one connection, the next on the one with the fewest in flight', async () => {
  const received: { readonly turn: string; readonly socket: object }[] = [];
  const all = new Promise<void>((resolve) => {
    rig.broker.onPublish = ({ packet, socket }) => {
      if (received.push({ turn: packet.payload.toString(), socket }) === 6) resolve();
    };
  });
  connect({ connections: 2, maxConnections: 2 });
  while (rig.link.connections.some(({ state: now }) => now !== 'ready')) await state('ready');
  const send = async (turn: string): Promise<void> => {
    for (let sent = 0; sent < 3; sent += 1) void deliver({ ...MESSAGE, payload: Buffer.from(turn) });
    await new Promise(setImmediate);
  };
  await send('first');
  await send('second');
  await all;
  const socketsOf = (wanted: string) =>
    new Set(received.filter(({ turn }) => turn === wanted).map((one) => one.socket));
  const [first, ...others] = socketsOf('first');
  const [second, ...more] = socketsOf('second');
  expect([...others, ...more]).toEqual([]);
  expect(first === second).toBe(false);
});

describe('the window', () => {
  test('is never exceeded: a message waits for a place, and is refused at its timeout', async () => {
    rig.broker.connack = { properties: { receiveMaximum: 1 } };
    const held: Received[] = [];
    let onHeld: () => void = () => undefined;
    rig.broker.onPublish = (received) => {
      held.push(received);
      onHeld();
    };
    await connect().whenReady();
    const first = deliver(MESSAGE);
    const tooLate = deliver({ ...MESSAGE, timeoutMs: 30 });
    const second = deliver(MESSAGE);
    expect(await tooLate).toBe('ACCOUNT_THROTTLED');
    expect(held).toHaveLength(1);
    const next = new Promise<void>((resolve) => (onHeld = resolve));
    held[0]?.puback(0);
    expect(await first).toBe('DELIVERED');
    await next;
    held[1]?.puback(0);
    expect(await second).toBe('DELIVERED');
  });

  test('requests that wait for their answers take no place of messages', async () => {
    rig.broker.connack = { properties: { receiveMaximum: 2 } };
    rig.broker.onPublish = ({ packet, puback }) => {
      if (packet.properties?.userProperties?.['dm-request'] === undefined) puback(0);
    };
    await connect().whenReady();
    const request = { ...MESSAGE, isRequest: true, timeoutMs: 60_000 };
    const opened = rig.state('ready');
    const silent = [deliver(request)];
    await opened;
    silent.push(deliver(request), deliver(request));
    expect(await deliver({ ...request, timeoutMs: 30 })).toBe('ACCOUNT_THROTTLED');
    expect(await deliver(MESSAGE)).toBe('DELIVERED');
    expect(rig.link.inFlight).toBe(3);
    await rig.link.close();
    expect(await Promise.all(silent)).toEqual(Array.from({ length: 3 }, () => 'BROKER_UNAVAILABLE'));
  });

  test('grows by further connections up to the maximum', async () => {
    rig.broker.connack = { properties: { receiveMaximum: 1 } };
    const held: Received[] = [];
    const three = new Promise<void>((resolve) => {
      rig.broker.onPublish = (received) => {
        held.push(received);
        if (held.length === 3) resolve();
      };
    });
    await connect({ maxConnections: 3 }).whenReady();
    const answers = Promise.all([1, 2, 3].map(() => deliver(MESSAGE)));
    await three;
    expect(rig.broker.connects).toBe(3);
    for (const { puback } of held) puback(0);
    expect(await answers).toEqual(['DELIVERED', 'DELIVERED', 'DELIVERED']);
  });
});
