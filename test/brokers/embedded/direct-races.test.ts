import { afterEach, describe, expect, test } from '@jest/globals';
import { DEFAULT_LIMITS } from '../../../src/direct/limits.js';
import { fakeAuthorizer } from '../../exhook/fakes.js';
import {
  embeddedOnly,
  nextMessage,
  send,
  startBroker,
  type RawClient,
  type Running,
  type StartOptions,
} from './harness.js';
import { startScriptedProvider } from './scripted-provider.js';

let running: Running;
const start = async (options?: StartOptions) => {
  running = await startBroker(options);
};
afterEach(async () => {
  await running.stop();
  expect(running.broker.load).toEqual({ connections: 0, pendingMessages: 0 });
});

describe('a device that does not acknowledge', () => {
  test('is waited for until the timeout, then 0x80; its late PUBACK is taken in silence', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    const answer = send(backend, '$dm/lock-17/t', { userProperties: { 'dm-timeout-ms': '400' } });
    const message = await device.next('publish');
    expect(await answer).toBe(0x80);
    expect(running.broker.load.pendingMessages).toBe(0);
    device.acknowledge(message);
    await device.settled();
    expect(await running.events.next('SendDirectMessage')).toMatchObject({ reason: 'PUBACK_TIMEOUT' });
    // The late PUBACK is not taken for that of the next message.
    const next = send(backend, '$dm/lock-17/t');
    const second = await device.next('publish');
    expect(second.messageId).not.toBe(message.messageId);
    device.acknowledge(second);
    expect(await next).toBe(0x00);
  });

  test('and leaves ends the waiting at once with 0x80', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.connect('backend');
    const answers = [1, 2, 3].map(() => send(backend, '$dm/lock-17/t'));
    await device.next('publish');
    await device.next('publish');
    await device.next('publish');
    device.destroy();
    expect(await Promise.all(answers)).toEqual([0x80, 0x80, 0x80]);
    expect(await running.events.next('SendDirectMessage')).toMatchObject({ reason: 'RECEIVER_DISCONNECTED' });
  });

  test('and comes back in another connection gets nothing twice, and the sender 0x80', async () => {
    await start();
    const options = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const device = await running.raw('lock-17', options);
    const backend = await running.connect('backend');
    const answer = send(backend, '$dm/lock-17/t');
    await device.next('publish');
    const successor = await running.raw('lock-17', options);
    expect(await answer).toBe(0x80);
    expect(await device.next('disconnect')).toMatchObject({ reasonCode: 0x8e });
    await successor.settled();
    expect(successor.received).toEqual([]);
    const second = send(backend, '$dm/lock-17/t');
    successor.acknowledge(await successor.next('publish'));
    expect(await second).toBe(0x00);
  });

  test('fills its Receive Maximum; what comes then waits, and what its queue cannot hold is 0x97', async () => {
    await start({ broker: { receiver: { queue: 2 } } });
    const device = await running.raw('lock-17', { properties: { receiveMaximum: 2 } });
    const backend = await running.raw('backend');
    const publish = (...ids: number[]) => {
      for (const id of ids) backend.publish('$dm/lock-17/t', id, { payload: String(id) });
    };
    publish(1, 2);
    const first = await device.next('publish');
    await device.next('publish');
    publish(3, 4, 5);
    expect(await backend.next('puback')).toMatchObject({ messageId: 5, reasonCode: 0x97 });
    await device.settled();
    expect(device.received).toEqual([]);
    // One place is free again, one message takes it.
    device.acknowledge(first);
    expect((await device.next('publish')).payload.toString()).toBe('3');
    await device.settled();
    expect(device.received).toEqual([]);
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
  });

  test('keeps its place in the window after the timeout, because its packet identifier is still in use', async () => {
    await start();
    const device = await running.raw('lock-17', { properties: { receiveMaximum: 1 } });
    const backend = await running.connect('backend');
    const timeout = (ms: number) => ({ userProperties: { 'dm-timeout-ms': String(ms) } });
    const unanswered = send(backend, '$dm/lock-17/t', timeout(400));
    const first = await device.next('publish');
    expect(await unanswered).toBe(0x80);
    // Waits behind it, times out there, and is not sent when there is room at last.
    expect(await send(backend, '$dm/lock-17/late', timeout(400))).toBe(0x97);
    expect(device.received).toEqual([]);
    const third = send(backend, '$dm/lock-17/in-time', timeout(4_000));
    device.acknowledge(first);
    const message = await device.next('publish');
    expect(message.topic).toBe('in-time');
    device.acknowledge(message);
    expect(await third).toBe(0x00);
  });
});

describe('a device that does not read', () => {
  test('holds up its own messages only, and gets them when it reads again', async () => {
    // None may die of old age while a busy machine takes its time.
    const patient = { ...DEFAULT_LIMITS, defaultTimeoutMs: 100_000, maxTimeoutMs: 100_000 };
    await start({ broker: { receiver: { sendBufferBytes: 1 }, limits: patient } });
    const device = await running.raw('lock-17');
    const other = await running.connect('lock-18');
    const backend = await running.raw('backend');
    device.socket.pause();
    const payload = Buffer.alloc(100_000);
    for (let id = 1; id <= 100; id++) backend.publish('$dm/lock-17/t', 0, { qos: 0, payload });
    const received = nextMessage(other);
    backend.publish('$dm/lock-18/t', 1);
    await received;
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
    expect(running.broker.load.pendingMessages).toBeGreaterThan(0);
    device.socket.resume();
    for (let id = 1; id <= 100; id++) await device.next('publish');
    expect(running.broker.load.pendingMessages).toBe(0);
  });
});

describe('a sender', () => {
  test('that leaves takes its confirmations with it', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1);
    const message = await device.next('publish');
    backend.destroy();
    await running.events.next('Disconnect', ({ identity }) => identity.clientId === 'backend');
    expect(running.broker.load.pendingMessages).toBe(0);
    device.acknowledge(message);
    await device.settled();
    // The place in the window is free again as well.
    const other = send(await running.connect('backend'), '$dm/lock-17/t');
    device.acknowledge(await device.next('publish'));
    expect(await other).toBe(0x00);
  });

  test('that sends a packet identifier again while it is in flight gets one PUBACK, and the device one PUBLISH', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('backend');
    backend.publish('$dm/lock-17/t', 1);
    backend.publish('$dm/lock-17/t', 1, { dup: true });
    backend.publish('$dm/lock-17/behind', 2);
    const message = await device.next('publish');
    const behind = await device.next('publish');
    expect([message.topic, behind.topic]).toEqual(['t', 'behind']);
    device.acknowledge(message);
    device.acknowledge(behind);
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
    expect(await backend.next('puback')).toMatchObject({ messageId: 2, reasonCode: 0x00 });
    // Acknowledged, the identifier is free for another message.
    backend.publish('$dm/lock-17/t', 1);
    device.acknowledge(await device.next('publish'));
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
    await backend.settled();
    expect(backend.received).toEqual([]);
  });

  test('may publish right behind its CONNECT, and it goes the same way', async () => {
    await start();
    const device = await running.raw('lock-17');
    const backend = await running.raw('eager', {}, [
      { cmd: 'publish', topic: '$dm/lock-17/t', payload: 'p', qos: 1, dup: false, retain: false, messageId: 1 },
    ]);
    device.acknowledge(await device.next('publish'));
    expect(await backend.next('puback')).toMatchObject({ messageId: 1, reasonCode: 0x00 });
  });

  test('that has not connected is not heard', async () => {
    await start();
    const device = await running.raw('lock-17');
    const stranger = running.stranger();
    stranger.publish('$dm/lock-17/t', 1);
    await stranger.closed;
    await device.settled();
    expect(device.received).toEqual([]);
  });

  test('that was refused is not heard', async () => {
    await start();
    const device = await running.raw('lock-17');
    const refused = await running.raw('refused', { password: Buffer.from('wrong') }, [
      { cmd: 'publish', topic: '$dm/lock-17/t', payload: 'p', qos: 0, dup: false, retain: false },
    ]);
    await refused.closed;
    await device.settled();
    expect(device.received).toEqual([]);
  });
});

describe('order', () => {
  const numbers = Array.from({ length: 50 }, (_, index) => index + 1);
  const receiveAll = async (device: RawClient) => {
    const payloads: string[] = [];
    while (payloads.length < numbers.length) {
      const message = await device.next('publish');
      device.acknowledge(message);
      payloads.push(message.payload.toString());
    }
    return payloads;
  };

  test('to one device is that of the sender, though each message is authorized by itself', async () => {
    await start();
    const device = await running.raw('lock-17', { properties: { receiveMaximum: 3 } });
    const backend = await running.raw('backend');
    for (const id of numbers) backend.publish(`$dm/lock-17/t/${id % 7}`, id, { payload: String(id) });
    expect(await receiveAll(device)).toEqual(numbers.map(String));
  });

  embeddedOnly(() => {
    test('holds between remembered and new permissions', async () => {
      await start({ broker: { authorizationCacheMs: 60_000 } });
      const device = await running.raw('lock-17');
      const backend = await running.raw('backend');
      backend.publish('$dm/lock-17/known', 99, { payload: '0' });
      device.acknowledge(await device.next('publish'));
      await backend.next('puback');
      for (const id of numbers) {
        backend.publish(id % 2 === 0 ? '$dm/lock-17/known' : `$dm/lock-17/new/${id}`, id, { payload: String(id) });
      }
      expect(await receiveAll(device)).toEqual(numbers.map(String));
    });
  });
});

embeddedOnly(() => {
  describe('a slow authorization', () => {
    test('for one device, or to one device, does not hold up the others', async () => {
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const provider = await startScriptedProvider({
        answers: {
          OnClientAuthorize: async ({ topic }) => {
            if (topic.includes('slow')) await released;
            return { type: 'STOP_AND_RETURN', bool_result: true };
          },
        },
      });
      await start({ broker: { exhookAddress: `127.0.0.1:${provider.port}` } });
      await running.connect('slow');
      await running.connect('quick');
      const backend = await running.connect('backend');
      const service = await running.connect('tightbeam');
      const slow = [send(backend, '$dm/slow/t'), send(service, '$dm/slow/t')];
      await provider.next('OnClientAuthorize', ({ type }) => type === 'PUBLISH');
      await provider.next('OnClientAuthorize', ({ type }) => type === 'SUBSCRIBE');
      expect(await send(backend, '$dm/quick/t')).toBe(0x00);
      expect(await send(service, '$dm/quick/t')).toBe(0x00);
      expect(running.broker.load.pendingMessages).toBe(2);
      release();
      expect(await Promise.all(slow)).toEqual([0x00, 0x00]);
      await running.broker.close();
      provider.stop();
    });
  });

  describe('a permission to receive', () => {
    const receives = () => running.authorizer.asked.filter(({ action }) => action === 'iot:Receive').length;

    test('is asked each time where nothing is to be remembered', async () => {
      await start({ broker: { authorizationCacheMs: 0 } });
      await running.connect('lock-17');
      const service = await running.connect('tightbeam');
      await send(service, '$dm/lock-17/t');
      await send(service, '$dm/lock-17/t');
      expect(receives()).toBe(2);
    });

    test('that is being asked for does for the messages that come meanwhile', async () => {
      await start({ broker: { authorizationCacheMs: 60_000 } });
      await running.connect('lock-17');
      const service = await running.connect('tightbeam');
      await Promise.all([1, 2, 3].map(() => send(service, '$dm/lock-17/t')));
      expect(receives()).toBe(1);
    });

    test('that is refused is asked for by each message', async () => {
      const authorizer = fakeAuthorizer(({ action }) => action === 'iot:Receive');
      await start({ provider: { authorizer }, broker: { authorizationCacheMs: 60_000 } });
      await running.connect('lock-17');
      const service = await running.connect('tightbeam');
      expect(await Promise.all([1, 2, 3].map(() => send(service, '$dm/lock-17/t')))).toEqual([0x87, 0x87, 0x87]);
      expect(authorizer.asked.filter(({ action }) => action === 'iot:Receive')).toHaveLength(3);
    });

    test('is remembered for a connection and a topic, and forgotten with the connection', async () => {
      await start({ broker: { authorizationCacheMs: 60_000 } });
      const device = await running.connect('lock-17');
      const service = await running.connect('tightbeam');
      await send(service, '$dm/lock-17/t');
      await send(service, '$dm/lock-17/t');
      expect(receives()).toBe(1);
      await send(service, '$dm/lock-17/other');
      expect(receives()).toBe(2);
      await device.endAsync();
      await running.events.next('Disconnect');
      await running.connect('lock-17');
      await send(service, '$dm/lock-17/t');
      expect(receives()).toBe(3);
      // The sender itself needed no call at all.
      expect(running.authorizer.asked.some(({ action }) => action === 'iot:SendDirectMessage')).toBe(false);
    });
  });
});
