import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { MqttClient } from '../../bench/rig/mqtt-client.js';
import { ACCESS_KEY, removeSetting, writeSetting, type Setting } from '../../bench/rig/setting.js';
import { sendMessageBatch } from '../../src/cli/client.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const DEVICES = 1_000;
const LINES = 10_000;
const EACH = 10;

let setting: Setting;
let service: ChildProcess;
let ports: Readonly<Record<'http' | 'mqtt', number>>;
const devices: MqttClient[] = [];

beforeEach(async () => {
  setting = writeSetting(DEVICES);
  service = spawn(process.execPath, [MAIN, 'dev'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      TIGHTBEAM_POLICIES: join(setting.folder, 'policies'),
      TIGHTBEAM_CREDENTIALS: join(setting.folder, 'credentials.json'),
      TIGHTBEAM_HTTP_PORT: '0',
      TIGHTBEAM_EXHOOK_PORT: '0',
      TIGHTBEAM_MQTT_PORT: '0',
      TIGHTBEAM_METRICS_PORT: '0',
    },
  });
  ports = await new Promise((resolve) => {
    // Read on to the end: a log that nobody reads would be one more thing in the service's memory.
    if (service.stdout === null) throw new Error('There is no log.');
    createInterface({ input: service.stdout }).on('line', (line) => {
      const entry = JSON.parse(line) as { readonly msg?: string; readonly ports?: typeof ports };
      if (entry.msg === 'ready' && entry.ports !== undefined) resolve(entry.ports);
    });
  });
});
afterEach(async () => {
  await Promise.all(devices.splice(0).map((device) => device.end()));
  const exited = once(service, 'exit');
  service.kill('SIGTERM');
  await exited;
  removeSetting(setting);
});

test('10,000 messages to 1,000 devices, some silent, some offline, some refusing: each has its own outcome', async () => {
  const [silent, offline, refusing] = [0, 1, 2].map((kind) => setting.devices.slice(kind * EACH, (kind + 1) * EACH));
  for (const clientId of setting.devices) {
    if (offline?.includes(clientId)) continue;
    const device = await MqttClient.connect(ports.mqtt, { clientId, username: clientId, password: setting.password });
    devices.push(device);
    device.onPublish = (packet) => {
      if (silent?.includes(clientId)) return;
      const reasonCode = refusing?.includes(clientId) ? 0x97 : 0;
      device.send({ cmd: 'puback', messageId: packet.messageId ?? 0, reasonCode });
    };
  }
  const lines = Array.from({ length: LINES }, (_, index) =>
    JSON.stringify({
      clientId: setting.devices[index % DEVICES],
      topic: 'cmd/open',
      payload: JSON.stringify({ command: 'open', door: 'front', seconds: 30 }),
      confirmation: true,
      timeout: silent?.includes(setting.devices[index % DEVICES] ?? '') ? 2 : 15,
      idempotencyKey: `line-${index}`,
    }),
  );
  const signing = {
    endpoint: `http://127.0.0.1:${ports.http}`,
    region: 'us-east-1',
    credentials: ACCESS_KEY,
  };
  const outcomes = new Map<number, string>();
  for await (const answers of await sendMessageBatch(signing, new TextEncoder().encode(lines.join('\n')))) {
    for (const { line = NaN, reason = '' } of answers) {
      expect(outcomes.has(line)).toBe(false);
      outcomes.set(line, reason);
    }
  }
  expect(outcomes.size).toBe(LINES);
  for (const [line, reason] of outcomes) {
    const clientId = setting.devices[(line - 1) % DEVICES] ?? '';
    const expected = silent?.includes(clientId)
      ? 'PUBACK_TIMEOUT'
      : offline?.includes(clientId)
        ? 'CLIENT_NOT_CONNECTED'
        : refusing?.includes(clientId)
          ? 'RECEIVER_REJECTED'
          : 'DELIVERED';
    expect([line, reason]).toEqual([line, expected]);
  }
});
