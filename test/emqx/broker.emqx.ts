import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { MqttClient } from 'mqtt';
import { direct, onceReceived, publish, silent } from './support/clients.js';
import { until } from './support/bench.js';
import { onEmqx, testIf } from './support/suite.js';
import { freePort } from '../free-port.js';

const MUTE = { customHandleAcks: () => undefined };
const SESSION = { clean: false, properties: { sessionExpiryInterval: 60 } };

onEmqx("Direct messages and the broker's own features", (bench, { isLocal }) => {
  let sender: MqttClient;
  let device: MqttClient;
  const backend = () =>
    bench().connect(`backend-${Math.random().toString(36).slice(2)}`, { username: 'backend', password: 'backend' });

  beforeEach(async () => {
    [sender, device] = [await backend(), await bench().connect('broker-device')];
  });
  afterEach(async () => {
    await Promise.all([sender.endAsync(true), device.endAsync(true)]);
  });

  test('a will on a direct topic is dropped', async () => {
    const heard = silent(device, 1_000);
    const dying = await bench().connect('broker-dying', {
      username: 'backend',
      password: 'backend',
      will: { topic: direct('broker-device', 'cmd/will'), payload: Buffer.from('boo'), qos: 1, retain: false },
    });
    dying.stream.destroy();
    expect(await heard).toBe(true);
  });

  test('a message published over the REST API on a direct topic is dropped', async () => {
    const heard = silent(device, 500);
    await bench().rest('POST', '/publish', { topic: direct('broker-device', 'cmd/rest'), qos: 1, payload: 'x' });
    expect(await heard).toBe(true);
  });

  test('$delayed/ in front of a direct topic does not deliver, now or later', async () => {
    const heard = silent(device, 2_000);
    sender.publish(`$delayed/1/${direct('broker-device', 'cmd/later')}`, 'x', { qos: 1 }, () => undefined);
    expect(await heard).toBe(true);
  });

  test('a rule that republishes on a direct topic does not deliver', async () => {
    const { id } = await bench().rest('POST', '/rules', {
      sql: 'SELECT payload FROM "trigger"',
      actions: [
        { function: 'republish', args: { topic: direct('broker-device', 'cmd/rule'), payload: '${payload}', qos: 1 } },
      ],
    });
    expect(id).toEqual(expect.any(String));
    try {
      const heard = silent(device, 700);
      await publish(sender, 'trigger');
      expect(await heard).toBe(true);
    } finally {
      await bench().rest('DELETE', `/rules/${String(id)}`);
    }
  });

  test('a rule sees no direct message', async () => {
    const { id } = await bench().rest('POST', '/rules', {
      sql: 'SELECT topic FROM "#", "$dm/#", "cmd/#"',
      actions: [{ function: 'republish', args: { topic: 'seen/${topic}', payload: 'x', qos: 0 } }],
    });
    try {
      const listener = await bench().connect('broker-listener');
      await listener.subscribeAsync('seen/#');
      const heard = silent(listener, 500);
      expect(await publish(sender, direct('broker-device', 'cmd/x'))).toBe(0x00);
      expect(await heard).toBe(true);
    } finally {
      await bench().rest('DELETE', `/rules/${String(id)}`);
    }
  });

  test('a session that is taken over: the new connection gets the message, and its PUBACK confirms it', async () => {
    const old = await bench().connect('broker-taken', { ...SESSION, ...MUTE });
    const onOld = onceReceived(old, 'packetreceive');
    const answer = publish(sender, direct('broker-taken', 'cmd/x'), 'now');
    await onOld;
    await bench().connect('broker-taken', SESSION);
    expect(await answer).toBe(0x00);
  });

  test('a session that is discarded by a clean start: the sender is told, at once', async () => {
    const old = await bench().connect('broker-discarded', { ...SESSION, ...MUTE });
    const onOld = onceReceived(old, 'packetreceive');
    const answer = publish(sender, direct('broker-discarded', 'cmd/x'), 'now');
    await onOld;
    const start = performance.now();
    const fresh = await bench().connect('broker-discarded');
    expect(await answer).toBe(0x80);
    expect(performance.now() - start).toBeLessThan(3_000);
    expect(await silent(fresh, 300)).toBe(true);
  });

  test('what waited behind a full window is not delivered after its deadline', async () => {
    const options = { clean: false, properties: { sessionExpiryInterval: 60, receiveMaximum: 1 } };
    const slow = await bench().connect('broker-window', { ...options, ...MUTE });
    const limit = { properties: { userProperties: { 'dm-timeout-ms': '700' } } };
    const second = await backend();
    const answers = Promise.all([
      publish(sender, direct('broker-window', 'cmd/1'), 'first', limit),
      new Promise((resolve) => setTimeout(resolve, 100)).then(() =>
        publish(second, direct('broker-window', 'cmd/2'), 'second', limit),
      ),
    ]);
    // The second found no room in the window until its deadline.
    expect(await answers).toEqual([0x80, 0x97]);
    await slow.endAsync(true);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const got: string[] = [];
    const back = await bench().connect('broker-window', options);
    back.on('message', (_topic, payload) => got.push(payload.toString()));
    await silent(back, 700);
    // The first was on its way already: MQTT has it repeated [MQTT-4.4.0-1]. The second never was.
    expect(got).not.toContain('second');
  });

  test('a persistent session gets nothing of what was sent while it was away', async () => {
    const before = await bench().connect('broker-away', SESSION);
    await before.subscribeAsync('cmd/#', { qos: 1 });
    await before.endAsync();
    await until(async () => (await publish(sender, direct('broker-away', 'cmd/x'))) === 0x83);
    await publish(sender, 'cmd/ordinary', 'ordinary');
    const got: string[] = [];
    const back = await bench().connect('broker-away', SESSION);
    back.on('message', (_topic, payload) => got.push(payload.toString()));
    await silent(back, 500);
    expect(got.filter((payload) => payload !== 'ordinary')).toEqual([]);
  });

  test('ordinary messages are routed as ever', async () => {
    await device.subscribeAsync('state/+', { qos: 1 });
    const received = onceReceived(device);
    expect(await publish(sender, 'state/1', 'on')).toBe(0x00);
    expect(await received).toMatchObject({ topic: 'state/1', payload: Buffer.from('on') });
    expect(await publish(sender, 'nobody/listens')).toBe(0x10);
  });

  testIf(isLocal, 'the broker is not on this machine')(
    'behind a mountpoint, a device receives; nobody sends',
    async () => {
      const port = await freePort();
      const listener = {
        type: 'tcp',
        name: 'mounted',
        bind: `127.0.0.1:${port}`,
        mountpoint: 'site/${clientid}/',
      };
      await bench().rest('POST', '/listeners', listener);
      try {
        const at = { servers: [{ host: '127.0.0.1', port, protocol: 'mqtt' as const }] };
        const mounted = await bench().connect('broker-mounted', at);
        const received = onceReceived(mounted);
        expect(await publish(sender, direct('broker-mounted', 'cmd/x'))).toBe(0x00);
        expect(await received).toMatchObject({ topic: 'cmd/x' });
        const heard = silent(device, 300);
        const answer = await publish(
          await bench().connect('broker-mounted-sender', { ...at, username: 'backend', password: 'backend' }),
          direct('broker-device', 'cmd/x'),
        );
        expect(answer).not.toBe(0x00);
        expect(await heard).toBe(true);
      } finally {
        await bench().rest('DELETE', '/listeners/tcp:mounted');
      }
    },
  );
});
