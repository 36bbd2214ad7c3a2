import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { IClientOptions, MqttClient } from 'mqtt';
import { loadEmbeddedBroker } from '../brokers/embedded/load.js';
import { loadConfig } from '../config/load.js';
import type { Reason } from '../reasons.js';
import type { LogDestination } from '../telemetry/log/destination.js';
import { type SendAnswer, sendDirectMessage } from './client.js';
import { describe, DEV_DEFAULTS } from './serve.js';

const BACKEND = 'AKIAIOSFODNN7EXAMPLE';
const DASHBOARD = 'AKIAI44QH8DHBEXAMPLE';
const TOO_LARGE = 131_073;

interface Scene {
  readonly title: string;
  readonly expect: { readonly status: number; readonly reason: Reason };
  readonly clientId: string;
  readonly topic?: string;
  readonly accessKeyId?: string;
  readonly payload?: string;
  readonly confirmation?: boolean;
  readonly timeout?: number;
}

const SCENES: readonly Scene[] = [
  {
    title: 'Confirmed: the device, which subscribed to nothing, acknowledges',
    expect: { status: 200, reason: 'DELIVERED' },
    clientId: 'lock-17',
  },
  {
    title: 'Unconfirmed: handed to the connection, QoS 0',
    expect: { status: 200, reason: 'DISPATCHED' },
    clientId: 'lock-17',
    confirmation: false,
  },
  {
    title: 'Offline: nobody is connected by that client ID',
    expect: { status: 404, reason: 'CLIENT_NOT_CONNECTED' },
    clientId: 'lock-20',
  },
  {
    title: 'Offline with a session: the device is expected back',
    expect: { status: 404, reason: 'CLIENT_OFFLINE_WITH_SESSION' },
    clientId: 'lock-19',
  },
  {
    title: 'The sender may not send: the dashboard may only read',
    expect: { status: 403, reason: 'SENDER_NOT_AUTHORIZED' },
    clientId: 'lock-17',
    accessKeyId: DASHBOARD,
  },
  {
    title: 'The receiver may not receive: a retired lock takes no commands',
    expect: { status: 403, reason: 'RECEIVER_NOT_AUTHORIZED' },
    clientId: 'lock-99',
  },
  {
    title: 'Too large: one byte over the limit',
    expect: { status: 413, reason: 'PAYLOAD_TOO_LARGE' },
    clientId: 'lock-17',
    payload: 'x'.repeat(TOO_LARGE),
  },
  {
    title: 'The device never acknowledges (timeout of one second)',
    expect: { status: 504, reason: 'PUBACK_TIMEOUT' },
    clientId: 'lock-18',
    timeout: 1,
  },
];

/** `tightbeam demo`: everything on free ports, every outcome once, each held against what it should be. */
export function demoCommand(command: Command): void {
  command.action(async () => {
    try {
      process.exitCode = (await demo()) ? 0 : 1;
    } catch (error) {
      process.stderr.write(`tightbeam: ${describe(error)}\n`);
      process.exitCode = 1;
    }
  });
}

async function demo(): Promise<boolean> {
  const log = new CapturedLog();
  const anyPort = { port: 0 };
  // First: where it is missing, so are the files that come with it.
  await loadEmbeddedBroker();
  const config = loadConfig(
    undefined,
    {},
    { ...DEV_DEFAULTS, http: anyPort, exhook: anyPort, embedded: anyPort, telemetry: anyPort },
  );
  const { startService } = await import('../app.js');
  const service = await startService(config, { broker: 'embedded', logDestination: log });
  const devices: MqttClient[] = [];
  try {
    const url = `mqtt://127.0.0.1:${service.ports.mqtt ?? 0}`;
    devices.push(...(await connectDevices(url)));
    say(`Started: MQTT on ${url}, data-plane API on http://127.0.0.1:${service.ports.http}\n`);
    let failures = 0;
    for (const scene of SCENES) {
      if (!(await play(scene, `http://127.0.0.1:${service.ports.http}`, config.aws.region, log))) failures += 1;
    }
    say(failures === 0 ? `All ${SCENES.length} outcomes were as expected.` : `${failures} were not as expected.`);
    return failures === 0;
  } finally {
    await Promise.all(devices.map((device) => device.endAsync(true)));
    await service.stop();
  }
}

async function connectDevices(url: string): Promise<MqttClient[]> {
  const { connectAsync } = await import('mqtt');
  const connect = (clientId: string, options: IClientOptions = {}): Promise<MqttClient> =>
    connectAsync(url, { clientId, username: clientId, password: clientId, reconnectPeriod: 0, ...options });

  const lock = await connect('lock-17', { protocolVersion: 5 });
  lock.on('message', (topic, payload, { qos }) => {
    say(`  device  lock-17 received ${JSON.stringify(payload.toString())} on ${topic} at QoS ${qos}`);
  });
  const silent = await connect('lock-18', { protocolVersion: 4 });
  // MQTT.js acknowledges when the callback is called: this one never does.
  silent.handleMessage = () => undefined;
  const away = await connect('lock-19', {
    protocolVersion: 5,
    clean: false,
    properties: { sessionExpiryInterval: 60 },
  });
  await away.endAsync();
  return [lock, silent, await connect('lock-99', { protocolVersion: 5 })];
}

async function play(scene: Scene, endpoint: string, region: string, log: CapturedLog): Promise<boolean> {
  const { title, expect, accessKeyId = BACKEND, payload = 'now', topic = 'cmd/open', confirmation = true } = scene;
  say(title);
  const answer = await sendDirectMessage({
    endpoint,
    region,
    credentials: { accessKeyId, secretAccessKey: secretOf(accessKeyId) },
    clientId: scene.clientId,
    topic,
    payload: new TextEncoder().encode(payload),
    confirmation,
    ...(scene.timeout === undefined ? {} : { timeout: scene.timeout }),
  });
  const line = await log.lineOf(answer.body.traceId ?? '');
  say(`  answer  ${answer.status} ${JSON.stringify(answer.body)}`);
  say(`  log     ${line.text}`);
  const asExpected = isExpected(answer, line.reason, expect);
  if (!asExpected) say(`  NOT AS EXPECTED: ${expect.status} ${expect.reason}`);
  say('');
  return asExpected;
}

function isExpected({ status }: SendAnswer, logged: string | undefined, expect: Scene['expect']): boolean {
  return status === expect.status && logged === expect.reason;
}

function secretOf(accessKeyId: string): string {
  const { accessKeys } = JSON.parse(readFileSync(DEV_DEFAULTS.credentials, 'utf8')) as {
    readonly accessKeys: Readonly<Record<string, string>>;
  };
  return accessKeys[accessKeyId] ?? '';
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

interface LoggedLine {
  readonly text: string;
  readonly reason: string | undefined;
}

/** Keeps the lines that tell what became of a request, for whoever waits for them. */
class CapturedLog implements LogDestination {
  readonly dropped = 0;
  readonly #lines = new Map<string, LoggedLine>();
  readonly #waiting = new Map<string, (line: LoggedLine) => void>();

  write(text: string): void {
    const { traceId, reason, eventType } = JSON.parse(text) as Record<string, string | undefined>;
    if (traceId === undefined || eventType !== 'SendDirectMessage') return;
    const line = { text: text.trim(), reason };
    this.#lines.set(traceId, line);
    this.#waiting.get(traceId)?.(line);
  }

  async lineOf(traceId: string): Promise<LoggedLine> {
    return this.#lines.get(traceId) ?? new Promise((resolve) => this.#waiting.set(traceId, resolve));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
