import { expect, test } from '@jest/globals';
import { direct, onceReceived, publish, sentUnasked, silent } from './support/clients.js';
import { until } from './support/bench.js';
import { onEmqx } from './support/suite.js';

onEmqx('Direct messages over MQTT', (bench) => {
  const backend = (options = {}) =>
    bench().connect(`backend-${Math.random().toString(36).slice(2)}`, {
      username: 'backend',
      password: 'backend',
      ...options,
    });
  const user = (properties: Record<string, string | string[]>) => ({ properties: { userProperties: properties } });

  test('QoS 1: the PUBACK of the sender is that of the device', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    const received = onceReceived(device);
    expect(await publish(sender, direct('mqtt-device', 'cmd/unlock'), 'now')).toBe(0x00);
    expect(await received).toMatchObject({ topic: 'cmd/unlock', payload: Buffer.from('now'), qos: 1 });
  });

  test('QoS 0: the device gets it at QoS 0', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    const received = onceReceived(device);
    sender.publish(direct('mqtt-device', 'cmd/x'), 'now', { qos: 0 });
    expect(await received).toMatchObject({ topic: 'cmd/x', qos: 0 });
  });

  test('QoS 1 with dm-qos 0: answered when handed over, delivered at QoS 0, without dm- properties', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    const received = onceReceived(device);
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'), 'now', user({ 'dm-qos': '0', unit: 'K' }))).toBe(0x00);
    const { qos, properties } = await received;
    expect(qos).toBe(0);
    expect(properties?.userProperties).toEqual({ unit: 'K' });
  });

  test.each([
    ['QoS 1', 1],
    ['QoS 2', 2],
  ] as const)('%s of MQTT 3.1.1 is refused by closing the connection, and does not arrive', async (_, qos) => {
    const [sender, device] = [await backend({ protocolVersion: 4 }), await bench().connect('mqtt-device')];
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'), 'now', { qos })).toBe('closed');
    expect(await silent(device, 300)).toBe(true);
  });

  test('QoS 2 of MQTT 5 is refused, and does not arrive', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    const answer = await publish(sender, direct('mqtt-device', 'cmd/x'), 'now', { qos: 2 });
    expect(answer === 'closed' || answer >= 0x80).toBe(true);
    expect(await silent(device, 300)).toBe(true);
  });

  test('RETAIN is refused, and nothing is retained', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'), 'now', { retain: true })).toBe(0x90);
    expect(await silent(device, 300)).toBe(true);
    const late = await bench().connect('mqtt-late');
    await late.subscribeAsync('cmd/x');
    expect(await silent(late, 300)).toBe(true);
  });

  test.each([
    ['no such client', 'mqtt-nobody', 'cmd/x', 0x90],
    ['a denied sender', 'mqtt-device', 'forbidden/x', 0x87],
    ['a denied receiver', 'mqtt-device', 'secret/x', 0x87],
    ['a reserved topic', 'mqtt-device', '$SYS/x', 0x90],
    ['a topic of 257 bytes', 'mqtt-device', 'x'.repeat(257), 0x90],
    ['a topic with 8 slashes', 'mqtt-device', '1/2/3/4/5/6/7/8/9', 0x90],
  ])('is refused for %s', async (_, clientId, topic, code) => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    expect(await publish(sender, direct(clientId, topic))).toBe(code);
    expect(await silent(device, 100)).toBe(true);
  });

  test.each([['$dm/'], ['$dm/x'], ['$dm//x'], ['$dm/%zz/x'], ['$dm/a%2/x']])(
    'a malformed direct topic is 0x90: %s',
    async (topic) => {
      expect(await publish(await backend(), topic)).toBe(0x90);
    },
  );

  test.each([['0'], ['15001'], ['abc'], ['1.5'], ['']])('a dm-timeout-ms of "%s" is 0x90', async (timeout) => {
    const [sender] = [await backend(), await bench().connect('mqtt-device')];
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'), 'now', user({ 'dm-timeout-ms': timeout }))).toBe(0x90);
  });

  test('0x80 at dm-timeout-ms from a device that does not acknowledge', async () => {
    const sender = await backend();
    await bench().connect('mqtt-mute', { customHandleAcks: () => undefined });
    const start = performance.now();
    expect(await publish(sender, direct('mqtt-mute', 'cmd/x'), 'now', user({ 'dm-timeout-ms': '300' }))).toBe(0x80);
    expect(performance.now() - start).toBeGreaterThanOrEqual(295);
    expect(performance.now() - start).toBeLessThan(1_500);
  });

  test('0x83 for a client that is away with a session', async () => {
    const sender = await backend();
    const device = await bench().connect('mqtt-away', { clean: false, properties: { sessionExpiryInterval: 60 } });
    await device.endAsync();
    let answer = await publish(sender, direct('mqtt-away', 'cmd/x'));
    // Until the broker has noticed that the device left.
    while (answer === 0x80) answer = await publish(sender, direct('mqtt-away', 'cmd/x'));
    expect(answer).toBe(0x83);
  });

  test('nobody is told of a direct message but the one: not by subscribing to its topic, nor by a wildcard', async () => {
    const [sender, device, listener] = [
      await backend(),
      await bench().connect('mqtt-device'),
      await bench().connect('mqtt-ear'),
    ];
    await listener.subscribeAsync(['cmd/x', 'cmd/#']);
    const heard = silent(listener, 500);
    const received = onceReceived(device);
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'))).toBe(0x00);
    await received;
    expect(await heard).toBe(true);
  });

  test.each([['$dm/#'], ['$dm/mqtt-device/#'], ['$dm/+/cmd'], ['$share/g/$dm/#']])(
    'nobody can subscribe to %s',
    async (filter) => {
      const device = await bench().connect('mqtt-device', { username: 'backend', password: 'backend' });
      await expect(device.subscribeAsync(filter, { qos: 1 })).rejects.toThrow();
    },
  );

  test('a device that has subscribed to the topic gets it once', async () => {
    const [sender, device] = [await backend(), await bench().connect('mqtt-device')];
    await device.subscribeAsync('cmd/x', { qos: 1 });
    const got: string[] = [];
    device.on('message', (topic) => got.push(topic));
    expect(await publish(sender, direct('mqtt-device', 'cmd/x'))).toBe(0x00);
    await silent(device, 200);
    expect(got).toEqual(['cmd/x']);
  });

  test('many senders and many devices: every answer is the right one', async () => {
    const senders = await Promise.all(Array.from({ length: 4 }, () => backend()));
    const counts = new Map<string, number>();
    for (let index = 0; index < 20; index += 1) {
      const device = await bench().connect(`mqtt-many-${index}`);
      device.on('message', (_topic, payload) =>
        counts.set(payload.toString(), (counts.get(payload.toString()) ?? 0) + 1),
      );
    }
    const answers = await Promise.all(
      senders.map(async (sender, s) => {
        const codes: unknown[] = [];
        for (let index = 0; index < 50; index += 1) {
          const target = index % 5 === 4 ? 'mqtt-nobody' : `mqtt-many-${index % 20}`;
          codes.push(await publish(sender, direct(target, 'cmd/x'), `${s}-${index}`));
        }
        return codes;
      }),
    );
    for (const codes of answers) {
      expect(codes).toEqual(Array.from({ length: 50 }, (_, index) => (index % 5 === 4 ? 0x90 : 0x00)));
    }
    expect(counts.size).toBe(4 * 40);
    expect([...counts.values()].every((count) => count === 1)).toBe(true);
  });

  test('the service logs the outcome of a message that another client sent', async () => {
    const sender = await backend({ clientId: 'backend-logged' });
    await bench().connect('mqtt-logged');
    expect(await publish(sender, direct('mqtt-logged', 'cmd/logged'))).toBe(0x00);
    await until(() =>
      bench().log.some(
        (line) =>
          line['eventType'] === 'SendDirectMessage' &&
          line['targetClientId'] === 'mqtt-logged' &&
          line['reason'] === 'DELIVERED',
      ),
    );
  });

  test('a client without a policy does not connect', async () => {
    await expect(bench().connect('intruder', { username: 'backend', password: 'wrong' })).rejects.toThrow(
      /not authorized|bad user/i,
    );
    await expect(bench().connect('intruder', { username: 'mallory', password: 'x' })).rejects.toThrow(
      /not authorized|bad user/i,
    );
  });

  test('who has a wrong password is refused, and what it sent in one go with its CONNECT reaches nobody', async () => {
    const device = await bench().connect('mqtt-guarded');
    const heard = silent(device, 1_000);
    const answers = await sentUnasked(bench().emqx.mqttUrl, [
      {
        cmd: 'connect',
        protocolVersion: 5,
        clientId: 'mqtt-liar',
        username: 'backend',
        password: Buffer.from('wrong'),
      },
      {
        cmd: 'publish',
        topic: direct('mqtt-guarded', 'cmd/x'),
        payload: 'boo',
        qos: 1,
        dup: false,
        retain: false,
        messageId: 1,
      },
    ]);
    // 0x86: bad user name or password, 0x87: not authorized.
    expect([[0x86], [0x87]]).toContainEqual(answers.map((each) => each.cmd === 'connack' && each.reasonCode));
    expect(await heard).toBe(true);
  });

  test('a sender that hangs up while it waits leaves the others alone', async () => {
    const [leaving, staying] = [await backend(), await backend()];
    await bench().connect('mqtt-slow', { customHandleAcks: () => undefined });
    leaving.publish(
      direct('mqtt-slow', 'cmd/x'),
      'now',
      { qos: 1, ...user({ 'dm-timeout-ms': '2000' }) },
      () => undefined,
    );
    const closed = new Promise<void>((resolve) => {
      leaving.once('close', resolve);
    });
    setTimeout(() => leaving.stream.destroy(), 100);
    await closed;
    expect(await publish(staying, direct('mqtt-nobody', 'cmd/x'))).toBe(0x90);
  });
});
