import { afterEach, beforeEach, expect, test } from '@jest/globals';
import * as aws from '@aws-sdk/client-iot-data-plane';
import mqtt, { type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';

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

test.each(['standard', 'adaptive'])(
  'one call of the AWS SDK (%s retry) to a device that acknowledges late is one message, one 200, one trace',
  async (retryMode) => {
    const client = new aws.IoTDataPlaneClient({
      endpoint: `http://127.0.0.1:${service.ports.http}`,
      region: 'us-east-1',
      credentials: CREDENTIALS,
      retryMode,
      maxAttempts: 3,
    });
    const traces: (string | undefined)[] = [];
    client.middlewareStack.add(
      (next) => async (args) => {
        const result = await next(args);
        const { headers = {} } = result.response as { headers?: Record<string, string> };
        traces.push(headers['x-amzn-requestid']);
        return result;
      },
      { step: 'deserialize', priority: 'low' },
    );
    let received = 0;
    let acknowledge: () => void = () => undefined;
    device.handleMessage = (_packet, done) => {
      received += 1;
      acknowledge = done;
    };
    const sent = client.send(
      new aws.SendDirectMessageCommand({ clientId: 'lock-17', topic: 'cmd/open', confirmation: true, timeout: 1 }),
    );
    // The first attempt has timed out, and the SDK has asked again.
    while (traces.length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    acknowledge();
    const output = await sent;
    expect(output.$metadata.httpStatusCode).toBe(200);
    expect(received).toBe(1);
    expect(output.traceId).toBe(traces[0]);
    expect(traces).toHaveLength(2);
    client.destroy();
  },
);
