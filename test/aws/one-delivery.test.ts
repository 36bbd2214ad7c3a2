import { afterEach, beforeEach, expect, test } from '@jest/globals';
import mqtt, { type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import { runs } from '../long.js';
import { RETRYING, skipped } from './retrying.js';
import { startRoundRobin, type RoundRobin } from './round-robin.js';

const CREDENTIALS = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};

let service: Service;
let device: MqttClient;
let balancer: RoundRobin;

beforeEach(async () => {
  const free = { port: 0 };
  const settings = { ...DEV_DEFAULTS, http: free, telemetry: free, exhook: free, embedded: free };
  const logDestination = { write: () => undefined, dropped: 0, close: () => Promise.resolve() };
  service = await startService(loadConfig(undefined, {}, settings), { broker: 'embedded', logDestination });
  balancer = await startRoundRobin([service.ports.http]);
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
  await balancer.stop();
  await service.stop();
});

// What differs in the others is when they ask again.
test.each(RETRYING.slice(0, runs(2, RETRYING.length)))(
  'one call by %s to a device that acknowledges late is one message, one 200, one trace',
  async (name, call) => {
    let received = 0;
    let acknowledge: () => void = () => undefined;
    device.handleMessage = (_packet, done) => {
      received += 1;
      acknowledge = done;
    };
    const called = call(balancer.endpoint, CREDENTIALS, 'lock-17');
    // The first attempt has timed out, and the client has asked again.
    const again = balancer.arrived(2).then(() => {
      acknowledge();
    });
    const answered = await called;
    if (skipped(name, answered)) return;
    await again;
    const [first, second] = balancer.requests;
    expect(answered).toEqual({ status: 200, traceId: first?.traceId });
    expect(received).toBe(1);
    expect(balancer.requests.map(({ status }) => status)).toEqual([504, 200]);
    expect(second?.invocation).toBe(first?.invocation);
  },
);
