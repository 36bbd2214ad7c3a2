import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { EmqxOperations } from '../../src/brokers/emqx/operations.js';
import type { BrokerMessage } from '../../src/operations/broker.js';
import { call, expectError, startServer, type TestServer } from './support.js';

const published: BrokerMessage[] = [];
let server: TestServer;
beforeAll(async () => {
  const publisher = {
    publish: (message: BrokerMessage) => {
      published.push(message);
      return Promise.resolve();
    },
  };
  server = await startServer({ behind: { broker: new EmqxOperations(undefined), publisher } });
});
afterAll(() => server.dataPlane.stop());

test('without the API of EMQX the service publishes all the same', async () => {
  const answer = await call(server.port, { path: '/topics/fleet/news', query: { qos: '1' }, body: 'hello' });
  expect(answer.status).toBe(200);
  expect(published).toMatchObject([{ topic: 'fleet/news', qos: 1 }]);
});

test.each([
  ['GET', '/connections/lock-17'],
  ['DELETE', '/connections/lock-17'],
  ['GET', '/connections/lock-17/subscriptions'],
  ['GET', '/retainedMessage/fleet/news'],
  ['GET', '/retainedMessage'],
])('and answers %s %s with the setting that is missing', async (method, path) => {
  const answer = await call(server.port, { method, path });
  expectError(answer, 'NOT_SUPPORTED');
  expect(server.events.told.at(-1)).toMatchObject({
    reason: 'NOT_SUPPORTED',
    details: expect.stringContaining('broker.api'),
  });
});
