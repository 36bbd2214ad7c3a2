import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EVENT_TYPES } from '../../src/observing/events.js';
import { call, exchange, startServer, type TestServer } from './support.js';

let server: TestServer;
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server.dataPlane.stop());

test.each([
  ['POST', '/topics/a%2Fb', 'Publish-In', { topicName: 'a/b', payloadBytes: 4 }],
  ['GET', '/connections/lock-17', 'GetConnection', { clientId: 'lock-17' }],
  ['DELETE', '/connections/lock-17', 'DeleteConnection', { clientId: 'lock-17' }],
  ['GET', '/connections/lock-17/subscriptions', 'ListSubscriptions', { clientId: 'lock-17' }],
  ['GET', '/retainedMessage/a%2Fb', 'GetRetainedMessage', { topicName: 'a/b' }],
  ['GET', '/retainedMessage', 'ListRetainedMessages', {}],
])('%s %s without credentials is told as the %s that it would have been', async (method, path, eventType, about) => {
  await exchange(server.port, { method, path, ...(method === 'POST' && { body: 'open' }) });
  expect(server.events.told).toHaveLength(1);
  const [told] = server.events.told;
  expect(EVENT_TYPES).toContain(told?.eventType);
  expect(told).toMatchObject({
    eventType,
    reason: 'MISSING_CREDENTIALS',
    identity: { sourceIp: '127.0.0.1' },
    ...about,
  });
});

test('a direct message without credentials is told with its device, topic and size', async () => {
  const path = '/connections/lock-17/messages';
  await exchange(server.port, { path, query: { topic: 'cmd' }, body: 'open' });
  expect(server.events.direct).toMatchObject([
    { reason: 'MISSING_CREDENTIALS', message: { targetClientId: 'lock-17', topic: 'cmd', payloadBytes: 4 } },
  ]);
});

test('what cannot be read is told with the caller who has proved who they are', async () => {
  const path = '/connections/lock-17/messages';
  const answer = await call(server.port, { path, query: { topic: ['a', 'b'] }, body: 'open' });
  expect(answer.body['reason']).toBe('INVALID_PARAMETER');
  expect(server.events.direct).toMatchObject([
    {
      reason: 'INVALID_PARAMETER',
      sender: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' },
      message: { targetClientId: 'lock-17', payloadBytes: 4 },
    },
  ]);
});
