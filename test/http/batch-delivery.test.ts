import { afterEach, beforeEach, expect, test } from '@jest/globals';
import mqtt, { type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { type BatchAnswer, sendMessageBatch } from '../../src/cli/client.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import { lineOf } from './batch-client.js';

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

let service: Service;
let device: MqttClient;
beforeEach(async () => {
  const free = { port: 0 };
  const settings = { ...DEV_DEFAULTS, http: free, telemetry: free, exhook: free, embedded: free };
  const logDestination = { write: () => undefined, dropped: 0, close: () => Promise.resolve() };
  service = await startService(loadConfig(undefined, {}, settings), { broker: 'embedded', logDestination });
  device = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt}`, {
    clientId: 'lock-17',
    username: 'lock-17',
    password: 'lock-17',
    protocolVersion: 5,
    reconnectPeriod: 0,
  });
});
afterEach(async () => {
  device.end(true);
  await service.stop();
});

async function send(lines: readonly object[]): Promise<(BatchAnswer & { readonly joined?: boolean })[]> {
  const endpoint = `http://127.0.0.1:${service.ports.http}`;
  const signing = { endpoint, region: 'us-east-1', credentials: CREDENTIALS };
  const all: BatchAnswer[] = [];
  const body = new TextEncoder().encode(lines.map(lineOf).join(''));
  for await (const answers of await sendMessageBatch(signing, body)) all.push(...answers);
  return all.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
}

test('lines of one identity are one message on the device, and have one answer', async () => {
  const received: string[] = [];
  device.on('message', (_topic, payload) => received.push(payload.toString()));
  const line = {
    clientId: 'lock-17',
    topic: 'cmd/open',
    confirmation: true,
    payload: 'now',
    idempotencyKey: 'order-1',
  };
  const outcomes = await send([line, line, { ...line, payload: 'later' }, { ...line, idempotencyKey: 'order-2' }]);
  expect(outcomes).toMatchObject([
    { line: 1, reason: 'DELIVERED' },
    { line: 2, reason: 'DELIVERED', joined: true },
    { line: 3, reason: 'IDEMPOTENCY_KEY_REUSED' },
    { line: 4, reason: 'DELIVERED' },
  ]);
  expect(received).toEqual(['now', 'now']);
  // So does a batch that is sent once more.
  expect(await send([line])).toMatchObject([{ line: 1, reason: 'DELIVERED', joined: true }]);
  expect(received).toHaveLength(2);
});
