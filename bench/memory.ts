/**
 * What 10,000 idle devices and 1,000 pending confirmations leave behind in the service and the embedded broker: nothing.
 * Half of the messages end because the device leaves, half by their timeout.
 */
import { HttpConnection, signedRequest } from './rig/http-client.js';
import { MqttClient } from './rig/mqtt-client.js';
import type { Held } from './rig/protocol.js';
import { startRig, type Rig } from './rig/rig.js';

const DEVICES = 10_000;
const PENDING = 1_000;
/** Connecting at the same time. */
const BATCH = 50;
const SHORT_TIMEOUT_S = 5;
const LONG_TIMEOUT_S = 15;
/** Most that may stay of what the devices and messages took, where nothing does: noise of the heap. */
const NOISE = 0.02;
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
  await Promise.all(devices.map((device) => device.end()));
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

/** Messages to devices that never acknowledge; resolves when all have arrived. The first half times out early. */
async function sendAll({ setting, ports }: Rig, devices: readonly MqttClient[]): Promise<Promise<number>[]> {
  const answers: Promise<number>[] = [];
  const arrivals: Promise<void>[] = [];
  for (let index = 0; index < PENDING; index++) {
    const device = devices[index];
    const clientId = setting.devices[index];
    if (device === undefined || clientId === undefined) break;
    arrivals.push(
      new Promise((resolve) => {
        device.onPublish = () => {
          resolve();
        };
      }),
    );
    const timeout = index < PENDING / 2 ? SHORT_TIMEOUT_S : LONG_TIMEOUT_S;
    const request = await signedRequest(ports.http, { clientId, topic: 'cmd/open', payload: 'now', timeout });
    const connection = await HttpConnection.open(ports.http);
    answers.push(
      connection.request(request).finally(() => {
        connection.close();
      }),
    );
  }
  await Promise.all(arrivals);
  return answers;
}

/** The service learns a moment later that a socket was closed, and tells of it then. */
async function goneFrom(rig: Rig): Promise<void> {
  const deadline = performance.now() + 30_000;
  let lowest = Infinity;
  while (performance.now() < deadline) {
    const { connections, heapBytes } = await rig.held();
    const settled = connections <= SERVICE_CONNECTIONS && heapBytes >= lowest;
    lowest = Math.min(lowest, heapBytes);
    if (settled) return;
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

/** The service's own, which stay. */
const SERVICE_CONNECTIONS = 2;

function judge(before: Held, full: Held, after: Held): void {
  print('');
  verdict('connections left beside the service’s own', after.connections - SERVICE_CONNECTIONS, 0);
  verdict('messages left that the broker has no outcome for', after.pendingMessages, 0);
  verdict('messages left that the service has no answer to', after.inFlight, 0);
  const left = (after.heapBytes - before.heapBytes) / (full.heapBytes - before.heapBytes);
  verdict('percent of the heap taken that stays', Math.round(left * 10_000) / 100, NOISE * 100);
}

function verdict(what: string, value: number, most: number): void {
  const passed = value <= most;
  if (!passed) process.exitCode = 1;
  print(`${passed ? 'PASS' : 'FAIL'}  ${what}: ${value} (at most ${most})`);
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

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
