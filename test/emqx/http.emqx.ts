import { expect, test } from '@jest/globals';
import { onceReceived, silent } from './support/clients.js';
import { type SendResult, until } from './support/bench.js';
import { onEmqx } from './support/suite.js';

onEmqx('SendDirectMessage over HTTP', (bench) => {
  /** A device may still be leaving when its socket is closed: until the broker has noticed, it is 504. */
  const sendWhenGone = async (clientId: string): Promise<SendResult> => {
    const result = await bench().send(clientId);
    return result.status === 504 ? sendWhenGone(clientId) : result;
  };

  test.each([5, 4] as const)(
    'reaches an MQTT %i device that never subscribed, confirmed by its PUBACK',
    async (protocolVersion) => {
      const device = await bench().connect('http-device', { protocolVersion });
      const received = onceReceived(device);
      expect(await bench().send('http-device', { topic: 'cmd/unlock', payload: 'now' })).toEqual({ status: 200 });
      expect(await received).toMatchObject({ topic: 'cmd/unlock', payload: Buffer.from('now'), qos: 1, retain: false });
      await device.endAsync();
    },
  );

  test('hands the message over at QoS 0 where no confirmation is asked for', async () => {
    const device = await bench().connect('http-device');
    const received = onceReceived(device);
    expect(await bench().send('http-device', { confirmation: false })).toEqual({ status: 200 });
    expect(await received).toMatchObject({ topic: 'cmd/test', qos: 0 });
    await device.endAsync();
  });

  test('carries the MQTT 5 properties unchanged, and none of its own', async () => {
    const device = await bench().connect('http-device');
    const received = onceReceived(device);
    // The SDK itself makes base64 of the user properties, and of them only.
    const userProperties = JSON.stringify([{ unit: '°C' }, { unit: 'K' }]);
    const correlationData = Buffer.from('42').toString('base64');
    const properties = { contentType: 'text/plain', responseTopic: 'answers/1', correlationData, userProperties };
    expect(await bench().send('http-device', properties)).toEqual({ status: 200 });
    const { properties: got } = await received;
    expect(got).toMatchObject({
      contentType: 'text/plain',
      responseTopic: 'answers/1',
      correlationData: Buffer.from('42'),
    });
    expect(got?.userProperties).toEqual({ unit: ['°C', 'K'] });
    await device.endAsync();
  });

  test.each(['a b', 'größe/1', '50%', 'a+b#c', '日本'])('addresses the client ID "%s"', async (clientId) => {
    const device = await bench().connect(clientId);
    const received = onceReceived(device);
    expect(await bench().send(clientId, { payload: clientId })).toEqual({ status: 200 });
    expect((await received).payload.toString()).toBe(clientId);
    await device.endAsync();
  });

  test('delivers 131,072 bytes and refuses one more', async () => {
    const device = await bench().connect('http-device');
    const received = onceReceived(device);
    expect(await bench().send('http-device', { payload: Buffer.alloc(131_072, 1) })).toEqual({ status: 200 });
    expect((await received).payload).toHaveLength(131_072);
    expect(await bench().send('http-device', { payload: Buffer.alloc(131_073, 1) })).toEqual({
      status: 413,
      exception: 'RequestEntityTooLargeException',
    });
    await device.endAsync();
  });

  test('is 404 for a client that nobody knows, and for one that left', async () => {
    const absent = { status: 404, exception: 'ResourceNotFoundException' };
    expect(await bench().send('nobody')).toEqual(absent);
    const device = await bench().connect('http-gone');
    await device.endAsync();
    expect(await sendWhenGone('http-gone')).toEqual(absent);
    expect(bench().log).toContainEqual(
      expect.objectContaining({
        eventType: 'SendDirectMessage',
        targetClientId: 'nobody',
        reason: 'CLIENT_NOT_CONNECTED',
      }),
    );
  });

  test('is 404 for a client that is away with a session, which does not get it later', async () => {
    const session = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const device = await bench().connect('http-away', session);
    await device.endAsync();
    expect(await sendWhenGone('http-away')).toEqual({ status: 404, exception: 'ResourceNotFoundException' });
    await until(() => bench().log.some((line) => line['reason'] === 'CLIENT_OFFLINE_WITH_SESSION'));
    const back = await bench().connect('http-away', session);
    expect(await silent(back)).toBe(true);
    await back.endAsync();
  });

  test('is 403 where a policy denies the sender, known client or not', async () => {
    const refused = { status: 403, exception: 'ForbiddenException' };
    const device = await bench().connect('http-device');
    expect(await bench().send('http-device', { topic: 'forbidden/x' })).toEqual(refused);
    expect(await bench().send('nobody', { topic: 'forbidden/x' })).toEqual(refused);
    expect(await silent(device, 200)).toBe(true);
    await device.endAsync();
  });

  test('is 403 where a policy denies the device', async () => {
    const device = await bench().connect('http-device');
    expect(await bench().send('http-device', { topic: 'secret/x' })).toEqual({
      status: 403,
      exception: 'ForbiddenException',
    });
    expect(await silent(device, 200)).toBe(true);
    expect(bench().log).toContainEqual(expect.objectContaining({ reason: 'RECEIVER_NOT_AUTHORIZED' }));
    await device.endAsync();
  });

  test('is 504 at the timeout for a device that does not acknowledge', async () => {
    const device = await bench().connect('http-mute', {
      customHandleAcks: () => undefined,
    });
    const start = performance.now();
    expect(await bench().send('http-mute', { timeout: 1 })).toEqual({
      status: 504,
      exception: 'GatewayTimeoutException',
    });
    expect(performance.now() - start).toBeGreaterThanOrEqual(990);
    expect(performance.now() - start).toBeLessThan(2_000);
    await device.endAsync(true);
  });

  test('is 504 at once where the device goes away before it acknowledged', async () => {
    const device = await bench().connect('http-mute', {
      customHandleAcks: () => undefined,
    });
    const received = onceReceived(device, 'packetreceive');
    const sent = bench().send('http-mute', { timeout: 10 });
    await received;
    const start = performance.now();
    device.stream.destroy();
    expect(await sent).toEqual({ status: 504, exception: 'GatewayTimeoutException' });
    expect(performance.now() - start).toBeLessThan(3_000);
  });

  test('is 413 where the device asked for smaller packets', async () => {
    const device = await bench().connect('http-small', { properties: { maximumPacketSize: 200 } });
    expect((await bench().send('http-small', { payload: Buffer.alloc(1_000) })).status).toBe(413);
    const received = onceReceived(device);
    expect(await bench().send('http-small')).toEqual({ status: 200 });
    await received;
    await device.endAsync();
  });

  test.each([
    ['topic with a wildcard', 'a', { topic: 'a/#' }],
    ['reserved topic', 'a', { topic: '$SYS/x' }],
    ['topic of 257 bytes', 'a', { topic: 'x'.repeat(257) }],
    ['topic with 8 slashes', 'a', { topic: 'a/b/c/d/e/f/g/h/i' }],
    ['timeout of 16 s', 'a', { timeout: 16 }],
    ['client ID that begins with $', '$x', {}],
    ['client ID of 129 characters', 'x'.repeat(129), {}],
  ])('is 400 for a %s', async (_, clientId, options) => {
    expect(await bench().send(clientId, options)).toEqual({ status: 400, exception: 'InvalidRequestException' });
  });

  test('keeps the order of messages to one device', async () => {
    const device = await bench().connect('http-order');
    const order: string[] = [];
    device.on('message', (_topic, payload) => order.push(payload.toString()));
    for (let index = 0; index < 50; index += 1) {
      expect(await bench().send('http-order', { payload: String(index) })).toEqual({ status: 200 });
    }
    expect(order).toEqual(Array.from({ length: 50 }, (_, index) => String(index)));
    await device.endAsync();
  });
});
