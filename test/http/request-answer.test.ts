import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { call, expectError, startServer, type Sent, type TestServer } from './support.js';
import { REASONS } from '../../src/reasons.js';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.dataPlane.stop());

const request = (query: Record<string, string> = {}, headers: Record<string, string> = {}): Sent => ({
  path: '/connections/lock-17/requests',
  query: { topic: 'cmd/state', responseTopic: 'answers/lock-17', ...query },
  headers,
  body: 'state?',
});

test('the answer of the device is in `response`: payload in base64, content type, user properties, topic', async () => {
  server.delivery.deliver = (message) => {
    server.delivery.messages.push(message);
    const response = {
      topic: 'answers/lock-17',
      payload: Buffer.from([0, 255]),
      contentType: 'text/plain',
      userProperties: [
        ['a', '1'],
        ['a', '2'],
      ] as const,
    };
    return Promise.resolve({ reason: 'ANSWERED', written: 'yes', response });
  };
  const answer = await call(server.port, request({ timeout: '60', contentType: 'application/json' }));
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    message: REASONS.ANSWERED.message,
    traceId: answer.headers['x-amzn-requestid'],
    written: 'yes',
    response: {
      topic: 'answers/lock-17',
      payload: 'AP8=',
      contentType: 'text/plain',
      userProperties: [{ a: '1' }, { a: '2' }],
    },
  });
  expect(server.delivery.messages).toMatchObject([
    { targetClientId: 'lock-17', topic: 'cmd/state', timeoutMs: 60_000, isRequest: true },
  ]);
});

test('a device that is silent is 504, and the answer says that it has the request', async () => {
  server.delivery.answer = () => Promise.resolve('ACKNOWLEDGED_NOT_ANSWERED');
  const answer = await call(server.port, request());
  expectError(answer, 'ACKNOWLEDGED_NOT_ANSWERED');
  expect(answer.status).toBe(504);
  expect(answer.body).toMatchObject({ written: 'yes' });
});

test('an answer that is too large is 422, which no SDK repeats', async () => {
  server.delivery.answer = () => Promise.resolve('RESPONSE_TOO_LARGE');
  const answer = await call(server.port, request());
  expectError(answer, 'RESPONSE_TOO_LARGE');
  expect(answer.status).toBe(422);
});

test('a response topic that is given twice is refused', async () => {
  const twice = { ...request(), query: { topic: 'cmd', responseTopic: ['a', 'b'] } };
  expectError(await call(server.port, twice), 'INVALID_PARAMETER');
  expect(server.delivery.messages).toEqual([]);
});

test('who may not receive on the response topic is refused, and the device gets nothing', async () => {
  server.denied.add('topic/answers/lock-17');
  expectError(await call(server.port, request()), 'SENDER_NOT_AUTHORIZED');
  expect(server.delivery.messages).toEqual([]);
});
