import { afterEach, expect, test } from '@jest/globals';
import { CallerThrottle } from '../../src/throttling/caller-throttle.js';
import { RateLimiter } from '../../src/throttling/rate-limiter.js';
import { call, expectError, startServer, type TestServer } from './support.js';

const MESSAGE = { path: '/connections/lock-17/messages', query: { topic: 'cmd' } };
let server: TestServer;
afterEach(() => server.dataPlane.stop());

test('a caller over their limit is told when to come again, and the log who it was', async () => {
  const throttle = new CallerThrottle({ perCaller: { perSecond: 0.3, burst: 1 } }, () => 0);
  server = await startServer({ throttle });
  expect((await call(server.port, MESSAGE)).status).toBe(200);
  const answer = await call(server.port, MESSAGE);
  expectError(answer, 'ACCOUNT_THROTTLED');
  expect(answer.headers['retry-after']).toBe('4');
  expect(server.events.direct.at(-1)).toMatchObject({
    reason: 'ACCOUNT_THROTTLED',
    sender: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' },
    message: { targetClientId: 'lock-17', topic: 'cmd', payloadBytes: 0 },
  });
});

test('who proves nothing uses up nobody’s limit', async () => {
  const throttle = new CallerThrottle({ global: { perSecond: 1, burst: 1 } }, () => 0);
  server = await startServer({ throttle });
  const stranger = { credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wrong' } };
  for (let index = 0; index < 3; index += 1) expect((await call(server.port, MESSAGE, stranger)).status).toBe(401);
  expect((await call(server.port, MESSAGE)).status).toBe(200);
});

test('a receiver over its limit has its own reason, and its own time to come again', async () => {
  server = await startServer({}, { perReceiver: new RateLimiter({ perSecond: 0.5, burst: 1 }, () => 0) });
  expect((await call(server.port, MESSAGE)).status).toBe(200);
  const answer = await call(server.port, MESSAGE);
  expectError(answer, 'RECEIVER_THROTTLED');
  expect(answer.headers['retry-after']).toBe('2');
});
