import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import mqtt, { type MqttClient } from 'mqtt';
import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../../src/identity/sigv4/sha256.js';

/** What is on in one of the services that are compared. */
export interface Setting {
  readonly name: string;
  readonly log: boolean;
  readonly metrics: boolean;
  /** Share of traces that are exported; undefined: tracing is off. */
  readonly traces?: number;
}

const ACCESS_KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'a secret of the benchmark' };

/** A service with the embedded broker as a process of its own, as it ships, and one device for each caller. */
export class BenchService {
  readonly setting: Setting;
  readonly #process: ChildProcess;
  readonly #devices: readonly MqttClient[];
  /** The whole request of each caller, signed once: the service verifies it every time. */
  readonly requests: readonly Buffer[];
  readonly port: number;

  private constructor(
    setting: Setting,
    process: ChildProcess,
    port: number,
    devices: MqttClient[],
    requests: Buffer[],
  ) {
    this.setting = setting;
    this.#process = process;
    this.port = port;
    this.#devices = devices;
    this.requests = requests;
  }

  static async start(setting: Setting, callers: number, folder: string, otlp: string): Promise<BenchService> {
    const ids = Array.from({ length: callers }, (_, index) => `lock-${100 + index}`);
    const file = (name: string): string => join(folder, `${setting.name.replaceAll(/\W+/g, '-')}.${name}`);
    const credentials = {
      accessKeys: { [ACCESS_KEY.accessKeyId]: ACCESS_KEY.secretAccessKey },
      mqttUsers: Object.fromEntries(ids.map((id) => [id, id])),
    };
    writeFileSync(file('credentials.json'), JSON.stringify(credentials));
    const config = {
      http: { port: 0 },
      exhook: { port: 0 },
      embedded: { port: 0 },
      credentials: file('credentials.json'),
      policies: 'policies',
      log: setting.log ? {} : { eventLevels: Object.fromEntries(SILENT.map((type) => [type, 'DISABLED'])) },
      telemetry: { port: 0, metrics: setting.metrics },
    };
    writeFileSync(file('config.json'), JSON.stringify(config));
    const env = {
      ...process.env,
      ...(setting.traces === undefined
        ? { OTEL_TRACES_EXPORTER: 'none' }
        : {
            OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
            OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
            OTEL_TRACES_SAMPLER_ARG: String(setting.traces),
            // Room for what a hundred percent of this load is in the time between two exports.
            OTEL_BSP_MAX_QUEUE_SIZE: '65536',
            OTEL_BSP_MAX_EXPORT_BATCH_SIZE: '4096',
            OTEL_BSP_SCHEDULE_DELAY: '500',
          }),
    };
    const child = spawn(process.execPath, ['dist/cli/main.js', 'dev', '--config', file('config.json')], {
      env,
      stdio: ['ignore', openSync(file('log'), 'w'), 'inherit'],
    });
    const ports = await readyPorts(child, file('log'));
    const devices = await Promise.all(
      ids.map((clientId) =>
        mqtt.connectAsync(`mqtt://127.0.0.1:${ports.mqtt}`, {
          clientId,
          username: clientId,
          password: clientId,
          protocolVersion: 5,
        }),
      ),
    );
    const requests = await Promise.all(ids.map((clientId) => signedRequest(ports.http, clientId)));
    return new BenchService(setting, child, ports.http, devices, requests);
  }

  /** Processor time that the service has used so far, in seconds: proc(5), fields 14 and 15, in hundredths. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#process.pid ?? 0}/stat`, 'utf8');
    const [user = '0', system = '0'] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return (Number(user) + Number(system)) / 100;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#devices.map((device) => device.endAsync(true)));
    this.#process.kill();
    await once(this.#process, 'exit');
  }
}

/** What a message through HTTP would log; `ready` is needed. */
const SILENT = ['SendDirectMessage', 'Connect', 'Disconnect', 'PolicyReload', 'BrokerConnection'];

/** The ports of the line that says `ready`. Asks the file until the line is there. */
async function readyPorts(child: ChildProcess, log: string): Promise<{ http: number; mqtt: number }> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`The service ended with ${child.exitCode}.`);
    const file = await open(log);
    const lines = (await file.readFile('utf8')).split('\n');
    await file.close();
    const ready = lines.find((line) => line.includes('"msg":"ready"'));
    if (ready !== undefined) return (JSON.parse(ready) as { ports: { http: number; mqtt: number } }).ports;
    await wait(50);
  }
}

async function signedRequest(port: number, clientId: string): Promise<Buffer> {
  const body = '{"command":"open"}';
  const query = { topic: `cmd/${clientId}/open`, confirmation: 'true' };
  const path = `/connections/${clientId}/messages`;
  const signer = new SignatureV4({ credentials: ACCESS_KEY, region: 'us-east-1', service: 'iotdata', sha256: Sha256 });
  const signed = await signer.sign({
    protocol: 'http:',
    hostname: '127.0.0.1',
    port,
    method: 'POST',
    path,
    query,
    headers: { host: `127.0.0.1:${port}` },
    body,
  });
  const headers = Object.entries({ ...signed.headers, 'content-length': String(body.length) });
  const target = `${path}?${new URLSearchParams(query).toString()}`;
  return Buffer.from(
    `POST ${target} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
  );
}
