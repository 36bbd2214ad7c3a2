import { afterEach, describe, expect, test } from '@jest/globals';
import mqtt from 'mqtt';
import { createEmbeddedBroker } from '../../../src/brokers/embedded/broker.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { startProvider } from '../../exhook/harness.js';
import { nextMessage, send, startBroker, type Running, type StartOptions } from './harness.js';

let running: Running;
const start = async (options?: StartOptions) => {
  running = await startBroker(options);
};
afterEach(() => running.stop());

describe('without a hook provider', () => {
  test('nobody gets in, and everybody does once it is there', async () => {
    const provider = await startProvider();
    await provider.stop();
    await start({ broker: { exhookAddress: `127.0.0.1:${provider.port}`, hookReconnectMs: 20 } });
    await expect(running.connect('lock-17')).rejects.toMatchObject({ code: 0x87 });
    expect(running.brokerLog).toContainEqual([
      'warn',
      expect.stringContaining('does not answer'),
      { address: `127.0.0.1:${provider.port}` },
    ]);
    const late = await startProvider({}, provider.port);
    let client;
    while (client === undefined) client = await running.connect('lock-17').catch(() => undefined);
    expect(late.authenticator.seen).not.toEqual([]);
    await running.broker.close();
    await late.stop();
  });

  test('that is lost, clients are refused, and what the connected ones ask is denied', async () => {
    await start();
    const device = await running.connect('lock-17');
    const backend = await running.raw('backend');
    await running.provider.stop();
    await expect(running.connect('late')).rejects.toMatchObject({ code: 0x87 });
    backend.publish('$dm/lock-17/t', 1);
    expect(await backend.next('puback')).toMatchObject({ reasonCode: 0x87 });
    backend.publish('ordinary', 2);
    expect(await backend.next('puback')).toMatchObject({ reasonCode: 0x87 });
    await expect(device.subscribeAsync('a')).rejects.toThrow();
  });

  test('the service itself gets no message through to a device that nobody can vouch for', async () => {
    await start();
    await running.connect('lock-17');
    const service = await running.connect('tightbeam');
    await running.provider.stop();
    expect(await send(service, '$dm/lock-17/t')).toBe(0x87);
  });
});

describe('a client', () => {
  test.each([
    ['MQTT 5', 5 as const, 0x87],
    ['MQTT 3.1.1', 4 as const, 5],
  ])('with wrong credentials is refused: %s', async (_, protocolVersion, code) => {
    await start();
    await expect(running.connect('lock-17', { protocolVersion, password: 'wrong' })).rejects.toMatchObject({ code });
    expect(running.broker.load.connections).toBe(0);
  });

  test('that no policy admits is refused', async () => {
    await start({ provider: { authorizer: fakeAuthorizer(({ action }) => action === 'iot:Connect') } });
    await expect(running.connect('lock-17')).rejects.toMatchObject({ code: 0x87 });
    expect(await running.events.next('Connect')).toMatchObject({ reason: 'CONNECT_NOT_AUTHORIZED' });
  });

  test('that is admitted is told of with where it comes from, and so is its end', async () => {
    await start();
    const device = await running.connect('lock-17');
    expect(await running.events.next('Connect')).toMatchObject({
      identity: { clientId: 'lock-17', username: 'lock-17', sourceIp: '127.0.0.1' },
    });
    await device.endAsync();
    expect(await running.events.next('Disconnect')).toMatchObject({ disconnectReason: 'normal' });
  });

  test('of the service may publish without a call, and subscribe to nothing', async () => {
    await start();
    await running.connect('lock-17');
    const service = await running.raw('tightbeam');
    service.publish('ordinary', 1);
    expect(await service.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
    service.send({ cmd: 'subscribe', messageId: 2, subscriptions: [{ topic: '#', qos: 0 }] });
    expect((await service.next('suback')).granted).toEqual([0x87]);
    service.publish('$dm/lock-17/t', 3);
    expect(await service.next('puback')).toMatchObject({ messageId: 3, reasonCode: 0x00 });
    service.publish('$dm/tightbeam/ready', 4);
    service.acknowledge(await service.next('publish'));
    expect(await service.next('puback')).toMatchObject({ messageId: 4, reasonCode: 0x00 });
    // Only the device was asked about; the service has not even an iot:Connect.
    expect(running.authorizer.asked.filter(({ identity }) => identity.clientId === 'tightbeam')).toEqual([]);
    expect(running.authorizer.asked.at(-1)).toMatchObject({ action: 'iot:Receive', identity: { clientId: 'lock-17' } });
  });

  test('cannot publish to $SYS/, by which Aedes speaks to itself', async () => {
    await start();
    const device = await running.raw('lock-17');
    const villain = await running.raw('villain');
    villain.publish('$SYS/other/new/clients', 1, { payload: 'lock-17' });
    expect(await villain.next('puback')).toMatchObject({ reasonCode: 0x87 });
    await device.settled();
  });

  test('that refers to a topic alias it was not given is told so', async () => {
    await start();
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1, { properties: { topicAlias: 1 } });
    expect(await backend.next('disconnect')).toMatchObject({ reasonCode: 0x94 });
    await backend.closed;
  });
});

describe('ordinary MQTT', () => {
  test.each([4 as const, 5 as const])('works as it does, version %i', async (protocolVersion) => {
    await start();
    const subscriber = await running.connect('sub', { protocolVersion });
    const publisher = await running.connect('pub', { protocolVersion });
    await subscriber.subscribeAsync('a/+', { qos: 2 });
    for (const qos of [0, 1, 2] as const) {
      const received = nextMessage(subscriber);
      await publisher.publishAsync(`a/${qos}`, 'p', { qos });
      expect(await received).toMatchObject({ topic: `a/${qos}`, packet: { qos } });
    }
    await subscriber.unsubscribeAsync('a/+');
  });

  test.each(['a+', '+a', 'a#', 'a/#/b', ''])('the filter "%s", which is none, ends the connection', async (topic) => {
    await start();
    const v5 = await running.raw('v5');
    v5.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
    expect(await v5.next('disconnect')).toMatchObject({ reasonCode: 0x81 });
    await v5.closed;
    const v311 = await running.raw('v311', { protocolVersion: 4 });
    v311.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic, qos: 1 }] });
    await v311.closed;
    expect(v311.received).toEqual([]);
    expect(await running.events.next('Disconnect')).toMatchObject({ disconnectReason: 'invalid_topic' });
  });

  test('one that is refused for publishing is told so: by a code, or by the end of the connection', async () => {
    await start({ provider: { authorizer: fakeAuthorizer(({ action }) => action === 'iot:Publish') } });
    const v5 = await running.raw('v5');
    v5.publish('a', 1);
    expect(await v5.next('puback')).toMatchObject({ reasonCode: 0x87 });
    const v311 = await running.raw('v311', { protocolVersion: 4 });
    v311.publish('a', 1);
    await v311.closed;
    expect(await running.events.next('Disconnect')).toMatchObject({ disconnectReason: 'not_authorized' });
  });

  test('a refused subscription does not come to life when the session is resumed', async () => {
    const denies = ({ action, resource }: { action: string; resource: string }) =>
      action === 'iot:Subscribe' && resource === 'topicfilter/secret';
    await start({ provider: { authorizer: fakeAuthorizer(denies) } });
    const options = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const first = await running.raw('keeper', options);
    const subscriptions = ['open', 'secret', 'open'].map((topic) => ({ topic, qos: 1 as const }));
    first.send({ cmd: 'subscribe', messageId: 1, subscriptions });
    expect((await first.next('suback')).granted).toEqual([1, 0x87, 1]);
    first.send({ cmd: 'disconnect', reasonCode: 0 });
    await first.closed;
    const publisher = await running.connect('pub');
    await publisher.publishAsync('secret', 'while away', { qos: 1 });
    await publisher.publishAsync('open', 'while away', { qos: 1 });
    const second = await running.raw('keeper', options);
    expect(await second.next('publish')).toMatchObject({ topic: 'open' });
    await publisher.publishAsync('secret', 'now', { qos: 1 });
    await publisher.publishAsync('open', 'now', { qos: 1 });
    expect(await second.next('publish')).toMatchObject({ topic: 'open' });
    await second.settled();
    expect(second.received).toEqual([]);
  });

  test('a filter of more levels than the broker has ends the connection', async () => {
    await start();
    const client = await running.raw('deep');
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a/'.repeat(150), qos: 1 }] });
    expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x8f });
  });

  test('a subscription identifier comes back with the message', async () => {
    await start();
    const client = await running.raw('c');
    const properties = { subscriptionIdentifier: 7 };
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a', qos: 0 }], properties });
    expect((await client.next('suback')).granted).toEqual([0]);
    client.publish('a', 2, { qos: 0 });
    expect((await client.next('publish')).properties).toMatchObject({ subscriptionIdentifier: 7 });
  });

  test('shared subscriptions do not exist here: 0x9E, or 0x80 for MQTT 3.1.1', async () => {
    await start();
    const v5 = await running.raw('v5');
    v5.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/a', qos: 1 }] });
    expect((await v5.next('suback')).granted).toEqual([0x9e]);
    const v311 = await running.raw('v311', { protocolVersion: 4 });
    v311.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$share/g/a', qos: 1 }] });
    expect((await v311.next('suback')).granted).toEqual([0x80]);
  });
});

describe('the broker', () => {
  test('says once that it is not for production', async () => {
    await start();
    expect(running.brokerLog.filter(([, message]) => /not for production/.test(String(message)))).toHaveLength(1);
  });

  test('says so where it cannot listen', async () => {
    await start();
    const second = createEmbeddedBroker({
      exhookAddress: '127.0.0.1:1',
      host: '127.0.0.1',
      port: running.port,
      serviceUsername: 'tightbeam',
      diagnostics: () => undefined,
    });
    await expect(second.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  test('tells everybody when it closes, also who is in the middle of connecting', async () => {
    await start({ provider: { authenticator: { authenticate: () => new Promise(() => undefined) } } });
    const undecided = mqtt.connect(`mqtt://127.0.0.1:${running.port}`, { reconnectPeriod: 0 });
    const gone = new Promise((resolve) =>
      undecided.once('close', () => {
        resolve(undefined);
      }),
    );
    await new Promise((resolve) => undecided.stream.once('connect', resolve));
    await running.broker.close();
    await gone;
  });

  test('answers 0x8B to those who are connected when it closes', async () => {
    await start();
    const device = await running.raw('lock-17');
    await running.broker.close();
    expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x8b });
  });
});
