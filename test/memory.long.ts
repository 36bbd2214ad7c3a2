import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isDeepStrictEqual } from 'node:util';
import { startService, type Service } from '../src/app.js';
import { sendDirectMessage, type SendAnswer } from '../src/cli/client.js';
import { configOf, removeSetting, writeSetting, ACCESS_KEY, type Setting } from '../bench/rig/setting.js';
import { MqttClient } from '../bench/rig/mqtt-client.js';

const DEVICES = 200;
const PENDING = 100;
/** Two for direct messages, one for what the service publishes otherwise. */
const SERVICE_CONNECTIONS = 3;

let setting: Setting;
let service: Service;

beforeEach(async () => {
  setting = writeSetting(DEVICES);
  const logDestination = { write: () => undefined, dropped: 0, close: () => Promise.resolve() };
  service = await startService(configOf(setting), { broker: 'embedded', logDestination });
});

afterEach(async () => {
  await service.stop();
  removeSetting(setting);
});

/** What is held for devices and for messages without an outcome. */
function held() {
  return { ...service.broker.load, inFlight: service.broker.inFlight };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test('devices and messages that are gone leave nothing behind', async () => {
  const idle = { connections: SERVICE_CONNECTIONS, pendingMessages: 0, inFlight: 0 };
  // The service is ready with its first connection.
  await until(() => isDeepStrictEqual(held(), idle));
  const devices = await Promise.all(
    setting.devices.map((clientId) =>
      MqttClient.connect(service.ports.mqtt ?? 0, { clientId, username: clientId, password: setting.password }),
    ),
  );

  // To devices that never acknowledge: the first half times out, the second half ends with its devices.
  const send = (clientId: string, index: number): Promise<SendAnswer> =>
    sendDirectMessage({
      endpoint: `http://127.0.0.1:${service.ports.http}`,
      region: 'us-east-1',
      credentials: ACCESS_KEY,
      clientId,
      topic: 'cmd/open',
      payload: new TextEncoder().encode('now'),
      confirmation: true,
      timeout: index < PENDING / 2 ? 4 : 15,
    });
  const answers = setting.devices.slice(0, PENDING).map(send);
  await until(() => held().pendingMessages === PENDING);
  expect(held()).toEqual({ connections: DEVICES + SERVICE_CONNECTIONS, pendingMessages: PENDING, inFlight: PENDING });

  const timedOut = await Promise.all(answers.slice(0, PENDING / 2));
  expect(new Set(timedOut.map(({ body }) => body.reason))).toEqual(new Set(['PUBACK_TIMEOUT']));
  expect(held()).toMatchObject({ pendingMessages: PENDING / 2, inFlight: PENDING / 2 });

  await Promise.all(devices.map((device) => device.end()));
  const cutOff = await Promise.all(answers.slice(PENDING / 2));
  expect(new Set(cutOff.map(({ body }) => body.reason))).toEqual(new Set(['RECEIVER_DISCONNECTED']));
  await until(() => held().connections === SERVICE_CONNECTIONS);
  expect(held()).toEqual(idle);
});
