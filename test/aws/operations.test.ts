import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as aws from '@aws-sdk/client-iot-data-plane';
import type { MqttClient } from 'mqtt';
import { nextMessage, type Running } from '../brokers/embedded/harness.js';
import { CREDENTIALS, REGION, type TestServer } from '../http/support.js';
import { startStack, type Stack } from './stack.js';

let stack: Stack;
let broker: Running;
let server: TestServer;
let client: aws.IoTDataPlaneClient;
const createClient = (maxAttempts: number): aws.IoTDataPlaneClient =>
  new aws.IoTDataPlaneClient({ endpoint: stack.endpoint, region: REGION, credentials: CREDENTIALS, maxAttempts });
beforeEach(async () => {
  stack = await startStack();
  ({ broker, server } = stack);
  client = createClient(1);
});
afterEach(async () => {
  client.destroy();
  await stack.stop();
});

async function subscriber(filter: string): Promise<MqttClient> {
  const device = await broker.connect('subscriber');
  await device.subscribeAsync(filter, { qos: 1 });
  return device;
}

async function publish(input: Partial<aws.PublishCommandInput> & { readonly topic: string }): Promise<void> {
  await client.send(new aws.PublishCommand({ qos: 1, ...input }));
}

describe('Publish', () => {
  test('reaches subscribers with every property', async () => {
    const received = nextMessage(await subscriber('state/#'));
    await publish({
      topic: 'state/a b/ü',
      payload: new Uint8Array([0, 255]),
      contentType: 'text/plain; x="+"',
      responseTopic: 'answers/1',
      correlationData: Buffer.from([1, 2]).toString('base64'),
      payloadFormatIndicator: 'UNSPECIFIED_BYTES',
      userProperties: JSON.stringify([{ a: '1' }, { a: '2' }]),
      messageExpiry: 60,
    });
    const { topic, packet } = await received;
    expect(topic).toBe('state/a b/ü');
    expect(packet.payload).toEqual(Buffer.from([0, 255]));
    expect(packet).toMatchObject({ qos: 1, retain: false });
    expect(packet.properties).toMatchObject({
      contentType: 'text/plain; x="+"',
      responseTopic: 'answers/1',
      correlationData: Buffer.from([1, 2]),
      userProperties: { a: ['1', '2'] },
    });
    expect(server.events.told).toMatchObject([
      { eventType: 'Publish-In', topicName: 'state/a b/ü', identity: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' } },
    ]);
    expect(server.events.told[0]?.reason).toBeUndefined();
  });

  test('QoS 0 is the default', async () => {
    const received = nextMessage(await subscriber('state'));
    await client.send(new aws.PublishCommand({ topic: 'state', payload: Buffer.from('x') }));
    expect((await received).packet.qos).toBe(0);
  });

  test.each([
    { topic: '$SYS/x' },
    { topic: '$dm/a/b' },
    { topic: 'a/#' },
    { topic: 'a', qos: 2 },
    { topic: 'a', messageExpiry: 0 },
  ])('%j is InvalidRequestException', async (input) => {
    await expect(publish(input)).rejects.toBeInstanceOf(aws.InvalidRequestException);
    expect(server.events.told).toHaveLength(1);
  });

  test('a caller who may not publish there is refused', async () => {
    server.denied.add('topic/secret');
    const error: unknown = await publish({ topic: 'secret' }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(aws.ForbiddenException);
    expect(server.events.told).toMatchObject([
      { reason: 'OPERATION_NOT_AUTHORIZED', decision: { action: 'iot:Publish', resource: 'topic/secret' } },
    ]);
  });

  test('without a broker it is ServiceUnavailableException', async () => {
    await broker.broker.close();
    await expect(publish({ topic: 'a' })).rejects.toBeInstanceOf(aws.ServiceUnavailableException);
  });
});

describe('retained messages', () => {
  test('are published, got, and removed by an empty payload', async () => {
    const userProperties = JSON.stringify([{ a: 'ü' }]);
    await publish({ topic: 'state/1', retain: true, payload: Buffer.from('on'), userProperties });
    const got = await client.send(new aws.GetRetainedMessageCommand({ topic: 'state/1' }));
    expect(got).toMatchObject({ topic: 'state/1', qos: 1, payload: new Uint8Array(Buffer.from('on')) });
    expect(Buffer.from(got.userProperties ?? []).toString()).toBe('[{"a":"ü"}]');

    await publish({ topic: 'state/1', retain: true });
    const gone = client.send(new aws.GetRetainedMessageCommand({ topic: 'state/1' }));
    await expect(gone).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
      reason: 'RETAINED_MESSAGE_NOT_FOUND',
    });
  });

  test('are listed page by page', async () => {
    const topics = Array.from({ length: 25 }, (_, index) => `state/${String(index).padStart(2, '0')}`);
    for (const topic of topics) await publish({ topic, retain: true, payload: Buffer.from(topic) });
    const pages: string[][] = [];
    for await (const page of aws.paginateListRetainedMessages({ client, pageSize: 10 }, {})) {
      pages.push((page.retainedTopics ?? []).map(({ topic = '' }) => topic));
    }
    expect(pages.map((page) => page.length)).toEqual([10, 10, 5]);
    expect(pages.flat()).toEqual(topics);
    const first = await client.send(new aws.ListRetainedMessagesCommand({}));
    expect(first.retainedTopics).toHaveLength(20);
    expect(first.retainedTopics?.[0]).toEqual({ topic: 'state/00', payloadSize: 8, qos: 1 });
  });

  test.each([{ maxResults: 0 }, { maxResults: 201 }, { nextToken: '*' }, { nextToken: '' }])(
    '%j is refused',
    async (input) => {
      const listed = client.send(new aws.ListRetainedMessagesCommand(input));
      await expect(listed).rejects.toBeInstanceOf(aws.InvalidRequestException);
    },
  );

  test('each needs its own permission', async () => {
    server.denied.add('*').add('topic/state');
    const listed = client.send(new aws.ListRetainedMessagesCommand({}));
    await expect(listed).rejects.toBeInstanceOf(aws.ForbiddenException);
    const got = client.send(new aws.GetRetainedMessageCommand({ topic: 'state' }));
    await expect(got).rejects.toBeInstanceOf(aws.ForbiddenException);
    expect(server.events.told.map(({ decision }) => decision?.action)).toEqual([
      'iot:ListRetainedMessages',
      'iot:GetRetainedMessage',
    ]);
  });
});

describe('connections', () => {
  const get = (clientId: string, includeSocketInformation?: boolean) =>
    client.send(new aws.GetConnectionCommand({ clientId, includeSocketInformation }));
  const remove = (input: aws.DeleteConnectionCommandInput) => client.send(new aws.DeleteConnectionCommand(input));
  const gone = (device: MqttClient) =>
    new Promise((resolve) =>
      device.once('close', () => {
        resolve(undefined);
      }),
    );

  test('a connected client is described, its socket only where asked for', async () => {
    const before = Date.now();
    await broker.connect('dev/1', { keepalive: 30, properties: { sessionExpiryInterval: 600 } });
    const plain = await get('dev/1');
    expect(plain).toEqual({
      $metadata: expect.anything(),
      clientId: 'dev/1',
      connected: true,
      cleanSession: false,
      keepAliveDuration: 30,
      sessionExpiry: 600,
      connectedSince: expect.any(Number),
    });
    expect(plain.connectedSince).toBeGreaterThanOrEqual(before);
    expect(await get('dev/1', true)).toMatchObject({
      sourceIp: '127.0.0.1',
      sourcePort: expect.any(Number),
      targetIp: '127.0.0.1',
      targetPort: broker.port,
    });
  });

  test('a client that is away with a session says since when and why', async () => {
    const device = await broker.connect('away', { properties: { sessionExpiryInterval: 600 } });
    const before = Date.now();
    await device.endAsync();
    await broker.events.next('Disconnect');
    const { disconnectedSince = 0, ...rest } = await get('away');
    expect(rest).toMatchObject({ connected: false, cleanSession: false, disconnectReason: expect.any(String) });
    expect(rest.connectedSince).toBeUndefined();
    expect(disconnectedSince).toBeGreaterThanOrEqual(before);
  });

  test('an unknown client is ResourceNotFoundException everywhere, a bad client ID InvalidRequestException', async () => {
    const list = (clientId: string) => client.send(new aws.ListSubscriptionsCommand({ clientId }));
    for (const ask of [get, list, (clientId: string) => remove({ clientId })]) {
      await expect(ask('nobody')).rejects.toBeInstanceOf(aws.ResourceNotFoundException);
      await expect(ask('$nobody')).rejects.toBeInstanceOf(aws.InvalidRequestException);
    }
  });

  test('whoever may not ask learns nothing, whether or not there is such a client', async () => {
    await broker.connect('dev');
    server.denied.add('client/dev').add('client/nobody');
    const answers = await Promise.all(
      ['dev', 'nobody'].map((clientId) => get(clientId).catch((error: unknown) => (error as Error).message)),
    );
    expect(answers[0]).toBe(answers[1]);
  });

  test('deleting ends the connection and leaves the session', async () => {
    const device = await broker.connect('dev', { properties: { sessionExpiryInterval: 600 } });
    await device.subscribeAsync('a');
    const closed = gone(device);
    await remove({ clientId: 'dev' });
    await closed;
    expect(await get('dev')).toMatchObject({ connected: false, disconnectReason: 'kicked' });
    const { subscriptions } = await client.send(new aws.ListSubscriptionsCommand({ clientId: 'dev' }));
    expect(subscriptions).toEqual([{ topicFilter: 'a', qos: 0 }]);
    await expect(remove({ clientId: 'dev' })).rejects.toMatchObject({ reason: 'CLIENT_OFFLINE_WITH_SESSION' });
  });

  test.each([5, 4] as const)(
    'with cleanSession it ends the session too, connected or away (MQTT %i)',
    async (protocolVersion) => {
      const options = { protocolVersion, clean: false, properties: { sessionExpiryInterval: 600 } } as const;
      for (const away of [false, true]) {
        const device = await broker.connect('dev', options);
        await device.subscribeAsync('a', { qos: 1 });
        const closed = gone(device);
        if (away) await remove({ clientId: 'dev' });
        await remove({ clientId: 'dev', cleanSession: true });
        await closed;
        await expect(get('dev')).rejects.toBeInstanceOf(aws.ResourceNotFoundException);
        const again = await broker.connect('dev', options);
        const { subscriptions } = await client.send(new aws.ListSubscriptionsCommand({ clientId: 'dev' }));
        expect(subscriptions).toEqual([]);
        const ended = gone(again);
        await remove({ clientId: 'dev', cleanSession: true });
        await ended;
      }
    },
  );

  test('the will is published, unless that is prevented', async () => {
    const watcher = await subscriber('wills/#');
    const will = (name: string) => ({ topic: `wills/${name}`, payload: Buffer.from('gone'), qos: 1 as const });
    const topics: string[] = [];
    watcher.on('message', (topic) => topics.push(topic));
    await broker.connect('silent', { will: will('silent') });
    await broker.connect('loud', { will: will('loud') });
    const heard = nextMessage(watcher);
    await remove({ clientId: 'silent', preventWillMessage: true });
    await remove({ clientId: 'loud' });
    await heard;
    expect(topics).toEqual(['wills/loud']);
  });

  test('subscriptions are listed page by page', async () => {
    const device = await broker.connect('dev');
    const filters = Array.from({ length: 45 }, (_, index) => `a/${String(index).padStart(2, '0')}/+`);
    await device.subscribeAsync(filters, { qos: 1 });
    const pages: string[][] = [];
    for await (const page of aws.paginateListSubscriptions({ client }, { clientId: 'dev' })) {
      pages.push((page.subscriptions ?? []).map(({ topicFilter = '' }) => topicFilter));
    }
    expect(pages.map((page) => page.length)).toEqual([20, 20, 5]);
    expect(pages.flat()).toEqual(filters);
  });
});

describe('retries', () => {
  test('are answered alike: what passes is repeated by the SDK, what stays is not', async () => {
    const patient = createClient(3);
    server.denied.add('client/dev');
    const refused = patient.send(new aws.GetConnectionCommand({ clientId: 'dev' }));
    await expect(refused).rejects.toMatchObject({ $metadata: { attempts: 1 } });
    await broker.broker.close();
    const unavailable = patient.send(new aws.PublishCommand({ topic: 'a' }));
    await expect(unavailable).rejects.toMatchObject({
      name: 'ServiceUnavailableException',
      $metadata: { attempts: 3 },
    });
    patient.destroy();
  });
});

test('the shadow operations say that they are out of scope', async () => {
  const shadow = client.send(new aws.GetThingShadowCommand({ thingName: 'lock-17' }));
  await expect(shadow).rejects.toBeInstanceOf(aws.ResourceNotFoundException);
  await expect(shadow).rejects.toMatchObject({ details: expect.stringMatching(/out of scope/) });
});
