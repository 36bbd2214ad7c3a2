import { afterEach, describe, expect, test } from '@jest/globals';
import { RateLimiter } from '../../../src/throttling/rate-limiter.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import { embeddedOnly, send, startBroker, type Running, type StartOptions } from './harness.js';
import { startScriptedProvider } from './scripted-provider.js';

let running: Running;
const start = async (options?: StartOptions) => {
  running = await startBroker(options);
};
afterEach(() => running.stop());

describe('a direct message is answered', () => {
  test('0x90 where no such client is connected', async () => {
    await start();
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/t')).toBe(0x90);
  });

  test('0x90 where the client was connected, and left no session', async () => {
    await start();
    const device = await running.connect('lock-17');
    await device.endAsync();
    await running.events.next('Disconnect');
    expect(await send(await running.connect('backend'), '$dm/lock-17/t')).toBe(0x90);
  });

  test.each([
    ['MQTT 5 with an expiry interval', { clean: false, properties: { sessionExpiryInterval: 60 } }],
    ['MQTT 3.1.1 without clean session', { clean: false, protocolVersion: 4 as const }],
  ])('0x83 where the client is away and has a session: %s', async (_, options) => {
    await start();
    const device = await running.connect('lock-17', options);
    await device.endAsync();
    await running.events.next('Disconnect');
    expect(await send(await running.connect('backend'), '$dm/lock-17/t')).toBe(0x83);
  });

  embeddedOnly(() => {
    test('0x90 again where that session has expired', async () => {
      const provider = await startScriptedProvider();
      await start({ broker: { exhookAddress: `127.0.0.1:${provider.port}` } });
      const device = await running.connect('lock-17', { properties: { sessionExpiryInterval: 1 } });
      const backend = await running.connect('backend');
      await device.endAsync();
      await provider.next('OnClientDisconnected');
      expect(await send(backend, '$dm/lock-17/t')).toBe(0x83);
      await provider.next('OnSessionTerminated', ({ reason }) => reason === '{shutdown,expired}');
      expect(await send(backend, '$dm/lock-17/t')).toBe(0x90);
      await running.broker.close();
      provider.stop();
    });
  });

  test.each([
    ['topic', '$dm/lock-17/a\u0001', {}],
    ['client ID', '$dm/lock%7F/a', {}],
    ['Content Type', '$dm/lock-17/a', { contentType: 'a\u0085' }],
    ['Response Topic', '$dm/lock-17/a', { responseTopic: 'a\ufdd0' }],
    ['name of a user property', '$dm/lock-17/a', { userProperties: { 'a\u001f': '' } }],
    ['value of a user property', '$dm/lock-17/a', { userProperties: { a: ['', '\u{1fffe}'] } }],
  ])('0x90 where MQTT text should not hold a character of its %s', async (_, topic, properties) => {
    await start();
    const device = await running.raw('lock-17');
    expect(await send(await running.connect('backend'), topic, properties)).toBe(0x90);
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('0x87 where the sender may not send, and nothing about the receiver is told', async () => {
    await start({ provider: { authorizer: fakeAuthorizer(({ action }) => action === 'iot:SendDirectMessage') } });
    await running.connect('lock-17');
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/t')).toBe(0x87);
    expect(await send(backend, '$dm/nobody/t')).toBe(0x87);
    await running.events.next('SendDirectMessage', ({ message }) => message.targetClientId === 'nobody');
    // One event a message: the provider refused, so the broker has nothing to report.
    expect(running.events.all.filter(({ name }) => name === 'SendDirectMessage')).toHaveLength(2);
  });

  test('0x87 where the receiver may not receive', async () => {
    const authorizer = fakeAuthorizer(
      ({ action, resource }) => action === 'iot:Receive' && resource === 'topic/secret',
    );
    await start({ provider: { authorizer } });
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/secret')).toBe(0x87);
    expect(authorizer.asked.at(-1)).toMatchObject({
      action: 'iot:Receive',
      identity: { clientId: 'lock-17', username: 'lock-17' },
    });
    await device.settled();
    expect(device.received).toEqual([]);
    expect(await running.events.next('SendDirectMessage')).toMatchObject({ reason: 'RECEIVER_NOT_AUTHORIZED' });
  });

  test('0x97 where the receiver has had all that its rate allows, whoever sends, and the service counts itself', async () => {
    await start({ broker: { perReceiver: new RateLimiter({ perSecond: 1, burst: 1 }, () => 0) } });
    const device = await running.connect('lock-17');
    await running.connect('lock-18');
    expect(await send(await running.connect('backend'), '$dm/lock-17/cmd')).toBe(0);
    const other = await running.connect('other');
    expect(await send(other, '$dm/lock-17/cmd')).toBe(0x97);
    expect(await send(other, '$dm/lock-18/cmd')).toBe(0);
    const service = await running.connect('service', { username: 'tightbeam', password: 'secret' });
    expect(await send(service, '$dm/lock-17/cmd')).toBe(0);
    expect(device.connected).toBe(true);
  });

  test.each([
    '$dm',
    '$dm/',
    '$dm/lock-17',
    '$dm/lock-17/',
    '$dm//t',
    '$dm/%24aws/t',
    '$dm/%zz/t',
    '$dm/%00/t',
    `$dm/${'x'.repeat(129)}/t`,
    '$dm/lock-17/$SYS/x',
    `$dm/lock-17/${'x'.repeat(257)}`,
    '$dm/lock-17/1/2/3/4/5/6/7/8/9',
  ])('0x90 where the direct topic is %s', async (topic) => {
    await start();
    await running.connect('lock-17');
    expect(await send(await running.connect('backend'), topic)).toBe(0x90);
  });

  test.each(['$dm/lock-17/a/+/b', '$dm/lock-17/#', '$dm/+/t'])(
    '0x90 where the direct topic is %s, a filter, and the connection stays',
    async (topic) => {
      await start();
      const backend = await running.raw('backend');
      backend.publish(topic, 7);
      expect(await backend.next('puback')).toMatchObject({ messageId: 7, reasonCode: 0x90 });
      await backend.settled();
    },
  );

  test.each([
    ['dm-timeout-ms', '0'],
    ['dm-timeout-ms', '15001'],
    ['dm-timeout-ms', 'soon'],
    ['dm-qos', '2'],
  ])('0x90 where %s is %s', async (name, value) => {
    await start();
    await running.connect('lock-17');
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/t', { userProperties: { [name]: value } })).toBe(0x90);
  });

  test('0x90 where the Response Topic is a filter', async () => {
    await start();
    await running.connect('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1, { properties: { responseTopic: 'a/+' } });
    expect(await backend.next('puback')).toMatchObject({ reasonCode: 0x90 });
  });

  test('0x90 where it has RETAIN, and nothing is retained', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1, { retain: true });
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x90 });
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('0x90 in the PUBREC where it has QoS 2, which ends the exchange', async () => {
    await start();
    await running.connect('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 9, { qos: 2 });
    expect(await backend.next('pubrec')).toMatchObject({ messageId: 9, reasonCode: 0x90 });
    // The identifier is free again.
    backend.publish('$dm/nobody/t', 9);
    expect(await backend.next('puback')).toMatchObject({ messageId: 9, reasonCode: 0x90 });
  });

  test('0x99 where it is over the Maximum Packet Size of the device, at once', async () => {
    await start();
    const device = await running.raw('lock-17', { properties: { maximumPacketSize: 64 } });
    const backend = await running.connect('backend');
    expect(await send(backend, '$dm/lock-17/t', {}, 'x'.repeat(64))).toBe(0x99);
    const small = send(backend, '$dm/lock-17/t', {}, 'x'.repeat(40));
    device.acknowledge(await device.next('publish'));
    expect(await small).toBe(0x00);
    expect(running.broker.load.pendingMessages).toBe(0);
  });
});

describe('MQTT 3.1.1, which has no negative answer, is disconnected without a PUBACK', () => {
  test.each([
    ['QoS 1', { qos: 1 as const }],
    ['QoS 2', { qos: 2 as const }],
    ['RETAIN', { qos: 0 as const, retain: true }],
  ])('for %s', async (_, packet) => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend', { protocolVersion: 4 });
    backend.publish('$dm/lock-17/t', 1, packet);
    await backend.closed;
    expect(backend.received).toEqual([]);
    await device.settled();
    expect(device.received).toEqual([]);
    expect(await running.events.next('SendDirectMessage')).toMatchObject({
      reason: 'INVALID_PARAMETER',
      details: expect.stringMatching(/MQTT 3.1.1 has no PUBACK|at QoS 2|be retained/),
    });
  });
});

describe('what is no client’s own PUBLISH', () => {
  embeddedOnly(() => {
    test('is not a direct message: a will to a direct topic is dropped', async () => {
      await start();
      const device = await running.raw('lock-17');
      const dying = await running.raw('dying', {
        will: { topic: '$dm/lock-17/last-words', payload: 'x', qos: 1, retain: false },
      });
      dying.destroy();
      await running.events.next('Disconnect', ({ identity }) => identity.clientId === 'dying');
      await device.settled();
      expect(device.received).toEqual([]);
    });
  });
});

describe('nobody can subscribe', () => {
  test.each([
    '$dm/#',
    '$dm/lock-17/t',
    '$dm/+/t',
    '$dm',
    '$share/g/$dm/lock-17/t',
    '$queue/$dm/lock-17/t',
    '$exclusive/$dm/lock-17/t',
  ])('to %s', async (filter) => {
    await start();
    const v5 = await running.raw('lock-17');
    v5.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] });
    expect((await v5.next('suback')).granted).toEqual([0x87]);
    const v311 = await running.raw('old', { protocolVersion: 4 });
    v311.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: filter, qos: 1 }] });
    expect((await v311.next('suback')).granted).toEqual([0x80]);
  });
});
