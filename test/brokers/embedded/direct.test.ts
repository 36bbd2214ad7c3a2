import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { nextMessage, send, startBroker, type Running } from './harness.js';

let running: Running;
beforeEach(async () => {
  running = await startBroker();
});
afterEach(() => running.stop());

describe('a direct message', () => {
  test('reaches a device that never subscribed, and its PUBACK is the sender’s', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
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

  test('reaches an MQTT 3.1.1 device', async () => {
    const device = await running.connect('old', { protocolVersion: 4 });
    const backend = await running.connect('backend');
    const received = nextMessage(device);
    expect(await send(backend, '$dm/old/t', { contentType: 'text/plain', userProperties: { a: 'b' } })).toBe(0x00);
    const { topic, packet } = await received;
    expect(topic).toBe('t');
    expect(packet.properties).toBeUndefined();
  });

  test('reaches a client whose ID needs percent-encoding, and an empty payload arrives empty', async () => {
    const clientId = 'café/1 +#%$🦊';
    const device = await running.connect(clientId, { username: 'u' });
    const backend = await running.connect('backend');
    const received = nextMessage(device);
    expect(await send(backend, `$dm/${encodeURIComponent(clientId)}/a/b`, {}, '')).toBe(0x00);
    expect(await received).toMatchObject({ topic: 'a/b', payload: '' });
  });

  test('goes to nobody else, whatever they subscribe to', async () => {
    const device = await running.connect('lock-17');
    const spy = await running.connect('spy');
    const heard: string[] = [];
    spy.on('message', (topic) => heard.push(topic));
    await spy.subscribeAsync('#');
    await spy.subscribeAsync(['+/+', 'commands/open']);
    const received = nextMessage(device);
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/commands/open')).toBe(0x00);
    await received;
    // Ordinary traffic flows all the same, and shows that nothing is still on its way.
    const ordinary = nextMessage(spy);
    await backend.publishAsync('other', 'p', { qos: 1 });
    await ordinary;
    expect(heard).toEqual(['other']);
  });

  test('comes from a client to itself', async () => {
    const both = await running.connect('both');
    const received = nextMessage(both);
    expect(await send(both, '$dm/both/ready')).toBe(0x00);
    expect((await received).topic).toBe('ready');
  });

  test('keeps its properties on the way to an MQTT 5 device, but for the controls', async () => {
    const device = await running.connect('lock-17');
    const backend = await running.connect('backend');
    const received = nextMessage(device);
    expect(
      await send(backend, '$dm/lock-17/t', {
        payloadFormatIndicator: true,
        contentType: 'application/json',
        responseTopic: 'answers/1',
        correlationData: Buffer.from([0, 1, 255]),
        messageExpiryInterval: 60,
        userProperties: { name: ['one', 'two'], 'dm-timeout-ms': '900', 'dm-other': 'x', other: 'three' },
      }),
    ).toBe(0x00);
    const { properties } = (await received).packet;
    expect({ ...properties, userProperties: { ...properties?.userProperties } }).toEqual({
      payloadFormatIndicator: true,
      contentType: 'application/json',
      responseTopic: 'answers/1',
      correlationData: Buffer.from([0, 1, 255]),
      userProperties: { name: ['one', 'two'], other: 'three' },
    });
  });

  test('of QoS 0 is delivered at QoS 0, and answered by nothing', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 0, { qos: 0 });
    expect(await device.next('publish')).toMatchObject({ topic: 't', qos: 0 });
    await backend.settled();
    expect(backend.received).toEqual([]);
    expect(running.broker.load.pendingMessages).toBe(0);
  });

  test('of QoS 0 comes from MQTT 3.1.1 too, and outlives a sender that leaves at once', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend', { protocolVersion: 4 });
    backend.publish('$dm/lock-17/t', 0, { qos: 0 });
    backend.send({ cmd: 'disconnect' });
    expect(await device.next('publish')).toMatchObject({ topic: 't', qos: 0 });
  });

  test('with dm-qos 0 is answered when it was handed over', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/t', { userProperties: { 'dm-qos': '0' } })).toBe(0x00);
    const message = await device.next('publish');
    expect(message).toMatchObject({ qos: 0 });
    expect(message.properties).toBeUndefined();
  });

  test('that the device refuses in its PUBACK is refused to the sender, by a code that is not the device’s', async () => {
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    const answer = send(backend, '$dm/lock-17/t');
    device.acknowledge(await device.next('publish'), 0x97);
    expect(await answer).toBe(0x80);
  });

  test('can carry 131,072 bytes, and no byte more', async () => {
    const device = await running.connect('lock-17');
    const backend = await running.connect('backend');
    const received = nextMessage(device);
    expect(await send(backend, '$dm/lock-17/t', {}, Buffer.alloc(131_072, 'x'))).toBe(0x00);
    expect((await received).payload).toHaveLength(131_072);
    expect(await send(backend, '$dm/lock-17/t', {}, Buffer.alloc(131_073))).toBe(0x99);
  });

  test('does not disturb ordinary messages, whose packet identifiers are Aedes’ own', async () => {
    const device = await running.raw('lock-17', { clean: false, properties: { sessionExpiryInterval: 60 } });
    device.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'news', qos: 1 }] });
    await device.next('suback');
    const backend = await running.connect('backend');
    const direct = send(backend, '$dm/lock-17/t');
    const directPublish = await device.next('publish');
    await backend.publishAsync('news', 'n', { qos: 1 });
    const newsPublish = await device.next('publish');
    expect(newsPublish.topic).toBe('news');
    expect(newsPublish.messageId).not.toBe(directPublish.messageId);
    // The news stay unacknowledged; the session is resumed and gets them again, under the same identifier.
    device.acknowledge(directPublish);
    expect(await direct).toBe(0x00);
    device.destroy();
    await running.events.next('Disconnect');
    const resumed = await running.raw('lock-17', { clean: false, properties: { sessionExpiryInterval: 60 } });
    const again = await resumed.next('publish');
    expect(again).toMatchObject({ topic: 'news', messageId: newsPublish.messageId });
    const second = send(backend, '$dm/lock-17/t');
    const secondPublish = await resumed.next('publish');
    expect(secondPublish.messageId).not.toBe(again.messageId);
    resumed.acknowledge(again);
    resumed.acknowledge(secondPublish);
    expect(await second).toBe(0x00);
  });
});

describe('the outcome of a direct message of an ordinary client', () => {
  test('is reported to the provider, with the trace of the sender', async () => {
    await running.connect('lock-17');
    const backend = await running.connect('backend');
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    await send(
      backend,
      '$dm/lock-17/t',
      { userProperties: { traceparent: `00-${traceId}-b7ad6b7169203331-01` } },
      'abc',
    );
    const event = await running.events.next('SendDirectMessage');
    expect(event).toMatchObject({
      traceId,
      sender: { clientId: 'backend', username: 'backend', sourceIp: '127.0.0.1' },
      message: { targetClientId: 'lock-17', topic: 't', confirmation: true, payloadBytes: 3 },
      reason: 'DELIVERED',
    });
    expect(event.durationMs).toBeGreaterThan(0);
  });

  test.each([
    ['$dm/lock-17/t', { 'dm-qos': '0' }, 'DISPATCHED'],
    ['$dm/nobody/t', { a: 'b' }, 'CLIENT_NOT_CONNECTED'],
    ['$dm/lock-17/$t', { a: 'b' }, 'RESERVED_TOPIC'],
    ['$dm/%zz/t', { a: 'b' }, 'INVALID_CLIENT_ID'],
    ['$dm/lock-17/t', { 'dm-timeout-ms': '0' }, 'INVALID_PARAMETER'],
  ])('is reported for %s with %j as %s', async (topic, userProperties, reason) => {
    await running.connect('lock-17');
    const backend = await running.connect('backend');
    await send(backend, topic, { userProperties });
    expect(await running.events.next('SendDirectMessage')).toMatchObject({ reason });
  });

  test('of the service itself is not: it knows', async () => {
    await running.connect('lock-17');
    const service = await running.connect('tightbeam');
    const backend = await running.connect('backend');
    expect(await send(service, '$dm/lock-17/t')).toBe(0x00);
    expect(await send(backend, '$dm/lock-17/t')).toBe(0x00);
    expect(await running.events.next('SendDirectMessage')).toMatchObject({ sender: { clientId: 'backend' } });
    expect(running.events.all.filter(({ name }) => name === 'SendDirectMessage')).toHaveLength(1);
  });
});
