import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import * as aws from '@aws-sdk/client-iot-data-plane';
import fc from 'fast-check';
import { REASONS, type AwsException, type Reason } from '../../src/reasons.js';
import { CREDENTIALS, REGION, startServer, type TestServer } from '../http/support.js';
import { runs } from '../long.js';

let server: TestServer;
let client: aws.IoTDataPlaneClient;
const createClient = (config: aws.IoTDataPlaneClientConfig = {}): aws.IoTDataPlaneClient =>
  new aws.IoTDataPlaneClient({
    endpoint: `http://127.0.0.1:${server.port}`,
    region: REGION,
    credentials: CREDENTIALS,
    maxAttempts: 1,
    ...config,
  });
beforeEach(async () => {
  server = await startServer();
  client = createClient();
});
afterEach(async () => {
  client.destroy();
  await server.dataPlane.stop();
});

/** What the SDK has no class for is its base class. */
const EXCEPTIONS: Record<AwsException, new (options: never) => Error> = {
  ...aws,
  DeviceRejectedException: aws.IoTDataPlaneServiceException,
  ResponseTooLargeException: aws.IoTDataPlaneServiceException,
};

const send = (input: Partial<aws.SendDirectMessageCommandInput> = {}, by = client) =>
  by.send(new aws.SendDirectMessageCommand({ clientId: 'lock-17', topic: 'cmd', confirmation: true, ...input }));

describe('SendDirectMessage by the AWS SDK, unmodified', () => {
  test('is answered with message and trace ID', async () => {
    const output = await send({ payload: Buffer.from('open') });
    expect(output.message).toBe(REASONS.DELIVERED.message);
    expect(output.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect(output.$metadata).toMatchObject({ httpStatusCode: 200, requestId: output.traceId });
  });

  test('every parameter arrives as it was given', async () => {
    await send({
      clientId: 'Gerät/ü+#%2F 🔒',
      topic: 'a/ b/ü&=?',
      payload: new Uint8Array([0, 255]),
      timeout: 15,
      contentType: 'application/json; x="ü+"',
      responseTopic: 'answers/1',
      userProperties: JSON.stringify([{ a: 'ü' }, { a: '2' }]),
      payloadFormatIndicator: 'UTF8_DATA',
      correlationData: Buffer.from([1, 2]).toString('base64'),
    });
    expect(server.delivery.messages).toEqual([
      {
        targetClientId: 'Gerät/ü+#%2F 🔒',
        topic: 'a/ b/ü&=?',
        payload: Buffer.from([0, 255]),
        confirmation: true,
        timeoutMs: 15_000,
        properties: {
          payloadFormatIndicator: true,
          contentType: 'application/json; x="ü+"',
          responseTopic: 'answers/1',
          correlationData: Buffer.from([1, 2]),
          userProperties: [
            ['a', 'ü'],
            ['a', '2'],
          ],
        },
        trace: { reachesDevice: false, traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-/) },
        // The SDK gives each call one, which all its attempts carry.
        identity: {
          id: expect.stringMatching(/^[0-9a-f-]{36}$/),
          principal: expect.any(String),
          traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
        },
      },
    ]);
  });

  test('any client ID, topic and query value: the signature verifies, and all arrive as they were given', async () => {
    const odd = fc.oneof(
      fc.constantFrom(
        '%2F',
        '%252F',
        '/',
        '//',
        '.',
        '..',
        'a b',
        '~',
        "!'()*",
        'ü',
        '設備',
        '🔒',
        '=&',
        '?',
        '%',
        '+',
        '#',
      ),
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((text) => !text.includes('\u0000')),
    );
    const text = fc.array(odd, { minLength: 1, maxLength: 4 }).map((parts) => parts.join(''));
    const clientIds = text.filter((id) => !id.startsWith('$') && id.length <= 128);
    const topics = text.filter(
      (topic) => !/[+#]|^\$/.test(topic) && Buffer.byteLength(topic) <= 256 && topic.split('/').length <= 8,
    );
    const contentTypes = fc.option(fc.oneof(fc.constant(''), text), { nil: undefined });
    await fc.assert(
      fc.asyncProperty(clientIds, topics, contentTypes, async (clientId, topic, contentType) => {
        await send({ clientId, topic, contentType });
        const { properties, ...message } = server.delivery.messages.pop() ?? {};
        expect(message).toMatchObject({ targetClientId: clientId, topic });
        expect(properties?.contentType).toBe(contentType);
      }),
      { numRuns: runs(100, 2_000) },
    );
  });

  const failures = (Object.keys(REASONS) as Reason[]).filter((reason) => {
    const row = REASONS[reason];
    return row.status === 'Failure' && 'http' in row && 'mqtt' in row;
  });
  test.each(failures)('%s is the right exception class', async (reason) => {
    server.delivery.answer = () => Promise.resolve(reason);
    const row = REASONS[reason] as { exception: AwsException; message: string; http: number };
    const error: unknown = await send().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(EXCEPTIONS[row.exception]);
    expect(error).toBeInstanceOf(aws.IoTDataPlaneServiceException);
    expect(error).toMatchObject({
      message: expect.stringContaining(row.message),
      reason,
      $metadata: { httpStatusCode: row.http },
    });
  });

  test('a wrong secret is UnauthorizedException', async () => {
    const stranger = createClient({ credentials: { ...CREDENTIALS, secretAccessKey: 'wrong' } });
    await expect(send({}, stranger)).rejects.toBeInstanceOf(aws.UnauthorizedException);
    stranger.destroy();
  });

  test('131,073 bytes are RequestEntityTooLargeException, and the next request works', async () => {
    const payload = Buffer.alloc(131_073);
    await expect(send({ payload })).rejects.toBeInstanceOf(aws.RequestEntityTooLargeException);
    await expect(send({ payload: payload.subarray(1) })).resolves.toMatchObject({ message: REASONS.DELIVERED.message });
  });

  test('with retries on, a passing failure is retried, one that stays is not', async () => {
    const patient = createClient({ maxAttempts: 3 });
    const answers: Reason[] = ['BROKER_UNAVAILABLE', 'DELIVERED', 'RECEIVER_NOT_AUTHORIZED', 'DELIVERED'];
    server.delivery.answer = () => Promise.resolve(answers.shift() ?? 'INTERNAL_ERROR');
    expect((await send({}, patient)).$metadata.attempts).toBe(2);
    await expect(send({}, patient)).rejects.toBeInstanceOf(aws.ForbiddenException);
    expect(answers).toEqual(['DELIVERED']);
    patient.destroy();
  });
});
