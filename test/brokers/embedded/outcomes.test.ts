import { afterEach, expect, test } from '@jest/globals';
import { BATCH, MOST_WAITING } from '../../../src/brokers/embedded/outcomes.js';
import { OUTCOME_REPORTS, readReports } from '../../../src/exhook/outcome-report.js';
import type { EmptySuccess, RequestOf } from '../../../src/exhook/wire.js';
import { startBroker, type RawClient, type Running } from './harness.js';
import { startScriptedProvider } from './scripted-provider.js';

let provider: Awaited<ReturnType<typeof startScriptedProvider>>;
let running: Running;
let release: () => void;
afterEach(async () => {
  release();
  await running.stop();
  provider.stop();
});

/** A provider that answers no OnMessageDropped before it is released, with a broker before it. */
async function start(): Promise<void> {
  const held = new Promise<EmptySuccess>((resolve) => {
    release = () => {
      resolve({});
    };
  });
  provider = await startScriptedProvider({
    hooks: [
      { name: 'client.authenticate', topics: [] },
      { name: 'client.authorize', topics: [] },
      { name: 'message.dropped', topics: ['$dm/#'] },
    ],
    answers: { OnMessageDropped: () => held },
  });
  running = await startBroker({
    // The call that is held is not given up before it is released, however long the others take.
    broker: { exhookAddress: `127.0.0.1:${provider.port}`, authorizationCacheMs: 600_000, hookTimeoutMs: 600_000 },
  });
}

const told = () =>
  provider.calls
    .filter(({ method }) => method === 'OnMessageDropped')
    .map(({ request }) => {
      const { message, reason } = request as unknown as RequestOf<'OnMessageDropped'>;
      expect(message).toMatchObject({ topic: '$dm/outcomes' });
      expect(reason).toBe(OUTCOME_REPORTS);
      const { reports, unreadable } = readReports(message?.payload ?? Buffer.alloc(0));
      expect(unreadable).toBe(0);
      return reports;
    });

/** Sends to nobody, and resolves when all are answered. */
async function send(client: RawClient, count: number, topic = '$dm/nobody/t'): Promise<void> {
  for (let index = 1; index <= count; index++) client.publish(topic, index);
  for (let index = 1; index <= count; index++) await client.next('puback');
}

test('one outcome alone is told with all that is known of it', async () => {
  await start();
  const client = await running.raw('a"b', { username: 'ü' });
  const before = Date.now();
  client.publish('$dm/nobody/t', 1, { properties: { userProperties: { traceparent: '00-x' } } });
  await client.next('puback');
  await provider.next('OnMessageDropped');
  const [[report] = []] = told();
  expect(report).toEqual({
    reason: 'CLIENT_NOT_CONNECTED',
    topic: '$dm/nobody/t',
    from: 'a"b',
    username: 'ü',
    peerhost: '127.0.0.1',
    durationMs: expect.any(Number),
    endedAt: expect.any(Number),
    qos: 1,
    payloadBytes: 1,
    traceparent: '00-x',
  });
  expect(report?.endedAt).toBeGreaterThanOrEqual(before);
  expect(report?.endedAt).toBeLessThanOrEqual(Date.now());
});

test('many go in one call, one call at a time, and what is left goes at the end', async () => {
  await start();
  const client = await running.raw('c');
  await send(client, 1);
  await provider.next('OnMessageDropped');
  await send(client, BATCH * 2 + 10);
  expect(told()).toHaveLength(1);
  release();
  await running.broker.close();
  expect(told().map(({ length }) => length)).toEqual([1, BATCH, BATCH, 10]);
});

test('long topics do not make a call large', async () => {
  await start();
  const client = await running.raw('c');
  await send(client, 1);
  await provider.next('OnMessageDropped');
  await send(client, 4, `$dm/nobody/${'t'.repeat(60_000)}`);
  release();
  await running.broker.close();
  expect(told().map(({ length }) => length)).toEqual([1, 3, 1]);
});

test('what a slow provider cannot take is lost, and the loss is told', async () => {
  await start();
  const client = await running.raw('c');
  await send(client, 1);
  await provider.next('OnMessageDropped');
  for (let sent = 0; sent < MOST_WAITING; sent += BATCH) await send(client, BATCH);
  await send(client, 3);
  release();
  await running.broker.close();
  expect(told().flat()).toHaveLength(1 + MOST_WAITING);
  expect(running.brokerLog).toContainEqual(['warn', expect.stringMatching(/lost/), { lost: 3 }]);
});

test('a provider that does not answer holds up no end', async () => {
  await start();
  const client = await running.raw('c');
  await send(client, 1);
  await provider.next('OnMessageDropped');
  await send(client, BATCH);
  provider.stop();
  await running.broker.close();
});
