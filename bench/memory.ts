/**
 * What 10,000 idle devices and 1,000 pending confirmations leave behind in the service and the embedded broker: nothing.
 * Half of the messages end because the device leaves, half by their timeout.
 */
import { HttpConnection, signedRequest } from './rig/http-client.js';
import { MqttClient } from './rig/mqtt-client.js';
import type { Held } from './rig/protocol.js';
import { startRig, type Rig } from './rig/rig.js';
import { print, verdict } from './report.js';

const DEVICES = 10_000;
const PENDING = 1_000;
/** Connecting, and leaving, at the same time; and between those that leave. */
const BATCH = 50;
const PAUSE_MS = 50;
const SHORT_TIMEOUT_S = 10;
const LONG_TIMEOUT_S = 15;
/** Most that may stay of what the devices and messages took, where nothing does: noise of the heap. */
const NOISE = 0.02;
/** The service's own, which stay: two for direct messages, one for what it publishes otherwise. */
const SERVICE_CONNECTIONS = 3;
const MEBIBYTE = 2 ** 20;

export async function run(): Promise<void> {
  const rig = await startRig(DEVICES);
  try {
    print(['', 'connections', 'pending', 'in flight', 'heap MiB'].map(pad).join(''));
    // The first time also fills what is kept on purpose: compiled code, caches of bounded size, buffers of the log.
    await cycle(rig, 'first time');
    const before = await show(rig, 'before');
    const { full } = await cycle(rig, 'second time');
    const after = await show(rig, 'after');
    judge(before, full, after);
  } finally {
    await rig.stop();
  }
}

async function cycle(rig: Rig, name: string): Promise<{ readonly full: Held }> {
  const devices = await connectDevices(rig);
  await show(rig, `${name}: idle devices`);
  const answers = await sendAll(rig, devices);
  const full = await show(rig, `${name}: and messages`);
  if (full.connections < DEVICES || full.pendingMessages !== PENDING || full.inFlight !== PENDING) {
    throw new Error('Not everything is there that is to go.');
  }
  await Promise.all(answers.slice(0, PENDING / 2));
  // Those that are waited for last, so that the others cannot hold up their answers.
  await leave(devices.slice(PENDING));
  await leave(devices.slice(0, PENDING));
  const statuses = new Set(await Promise.all(answers));
  if (statuses.size !== 1 || !statuses.has(504)) throw new Error(`Answers other than 504: ${[...statuses].join(', ')}`);
  await goneFrom(rig);
  return { full };
}

async function connectDevices({ setting, ports }: Rig): Promise<MqttClient[]> {
  const devices: MqttClient[] = [];
  for (let first = 0; first < DEVICES; first += BATCH) {
    const logins = setting.devices.slice(first, first + BATCH).map((clientId) => ({
      clientId,
      username: clientId,
      password: setting.password,
    }));
    devices.push(...(await Promise.all(logins.map((login) => MqttClient.connect(ports.mqtt, login)))));
  }
  return devices;
}

/** Not all at once: the broker tells the service of each. */
async function leave(devices: readonly MqttClient[]): Promise<void> {
  for (let first = 0; first < devices.length; first += BATCH) {
    await Promise.all(devices.slice(first, first + BATCH).map((device) => device.end()));
    await pause(PAUSE_MS);
  }
}

/** Messages to devices that never acknowledge; resolves when all have arrived. The first half times out early. */
async function sendAll({ setting, ports }: Rig, devices: readonly MqttClient[]): Promise<Promise<number>[]> {
  const receivers = devices.slice(0, PENDING);
  const arrivals = receivers.map(
    (device) =>
      new Promise<void>((resolve) => {
        device.onPublish = () => {
          resolve();
        };
      }),
  );
  const prepared = await Promise.all(
    setting.devices.slice(0, PENDING).map(async (clientId, index) => {
      const timeout = index < PENDING / 2 ? SHORT_TIMEOUT_S : LONG_TIMEOUT_S;
      const request = await signedRequest(ports.http, { clientId, topic: 'cmd/open', payload: 'now', timeout });
      return { request, connection: await HttpConnection.open(ports.http) };
    }),
  );
  const answers = prepared.map(({ connection, request }) =>
    connection.request(request).finally(() => {
      connection.close();
    }),
  );
  await Promise.all(arrivals);
  return answers;
}

/** The service learns a moment later that a socket was closed, and tells of it then: until the heap falls no more. */
async function goneFrom(rig: Rig): Promise<void> {
  let lowest = Infinity;
  for (let samples = 0, still = 0; samples < 30 && still < 3; samples++) {
    const { connections, heapBytes } = await rig.held();
    const falls = heapBytes < lowest * 0.999 || connections !== SERVICE_CONNECTIONS;
    still = falls ? 0 : still + 1;
    lowest = Math.min(lowest, heapBytes);
    await pause(1_000);
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function judge(before: Held, full: Held, after: Held): void {
  print('');
  verdict('connections left beside the service’s own', after.connections - SERVICE_CONNECTIONS, 'at most', 0);
  verdict('messages left that the broker has no outcome for', after.pendingMessages, 'at most', 0);
  verdict('messages left that the service has no answer to', after.inFlight, 'at most', 0);
  const left = (after.heapBytes - before.heapBytes) / (full.heapBytes - before.heapBytes);
  verdict('percent of the heap taken that stays', left * 100, 'at most', NOISE * 100);
}

async function show(rig: Rig, name: string): Promise<Held> {
  const held = await rig.held();
  const { connections, pendingMessages, inFlight, heapBytes } = held;
  print([name, connections, pendingMessages, inFlight, (heapBytes / MEBIBYTE).toFixed(1)].map(pad).join(''));
  return held;
}

function pad(value: string | number): string {
  return String(value).padEnd(28);
}
