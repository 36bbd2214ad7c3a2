import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import mqtt, { type MqttClient } from 'mqtt';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');
const KEYS = {
  AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE',
  AWS_SECRET_ACCESS_KEY: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
};
const FREE_PORTS = {
  TIGHTBEAM_HTTP_PORT: '0',
  TIGHTBEAM_EXHOOK_PORT: '0',
  TIGHTBEAM_MQTT_PORT: '0',
  TIGHTBEAM_METRICS_PORT: '0',
  TIGHTBEAM_CONSOLE_PORT: '0',
};

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Ready {
  readonly ports: Readonly<Record<'http' | 'mqtt' | 'exhook' | 'metrics', number>>;
}

const children: ChildProcess[] = [];

function tightbeam(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const child = spawn(process.execPath, [MAIN, ...args], { env: { PATH: process.env['PATH'], ...env } });
  children.push(child);
  return child;
}

async function ended(child: ChildProcess): Promise<Ended> {
  const out = { stdout: '', stderr: '' };
  child.stdout?.on('data', (chunk: Buffer) => (out.stdout += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (out.stderr += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...out };
}

/** The first line of its log with this message. */
async function lineOf(child: ChildProcess, msg: 'ready' | 'draining'): Promise<Ready> {
  if (!child.stdout) throw new Error('no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    const parsed = JSON.parse(line) as Ready & { readonly msg?: string };
    if (parsed.msg === msg) return parsed;
  }
  throw new Error(`ended before it was ${msg}`);
}

/** MQTT.js types its emitter apart from Node's, which it is. */
function emitter(client: MqttClient): EventEmitter {
  return client as unknown as EventEmitter;
}

beforeAll(() => {
  // What is tested is what ships.
  execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], {
    stdio: 'inherit',
  });
});

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('tightbeam dev', () => {
  test('says which ports it took, delivers what `tightbeam send` sends, and drains on SIGTERM', async () => {
    const service = tightbeam(['dev'], FREE_PORTS);
    const { ports } = await lineOf(service, 'ready');
    const url = `mqtt://127.0.0.1:${ports.mqtt}`;
    const device = await mqtt.connectAsync(url, { clientId: 'lock-17', username: 'lock-17', password: 'lock-17' });
    const received = once(emitter(device), 'message');
    const args = ['send', '--client-id', 'lock-17', '--topic', 'cmd/open', '--payload', 'now', '--json'];
    const env = { ...KEYS, TIGHTBEAM_URL: `http://127.0.0.1:${ports.http}` };
    const sent = await ended(tightbeam(args, env));
    expect(sent).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(sent.stdout)).toMatchObject({ status: 200 });
    const [topic, payload] = (await received) as [string, Buffer];
    expect([topic, payload.toString()]).toEqual(['cmd/open', 'now']);

    // A confirmation in flight finishes (here: its device goes away) before the process ends.
    device.handleMessage = () => undefined;
    const again = once(emitter(device), 'packetreceive');
    const last = ended(tightbeam([...args, '--timeout', '15'], env));
    await again;
    service.kill('SIGTERM');
    const end = once(service, 'exit');
    await device.endAsync(true);
    expect(JSON.parse((await last).stdout)).toMatchObject({ status: 504, reason: 'RECEIVER_DISCONNECTED' });
    expect(await end).toEqual([0, null]);
  });

  test('answers `tightbeam request` with what the device answers, as it is', async () => {
    const service = tightbeam(['dev'], FREE_PORTS);
    const { ports } = await lineOf(service, 'ready');
    const url = `mqtt://127.0.0.1:${ports.mqtt}`;
    const device = await mqtt.connectAsync(url, {
      clientId: 'lock-17',
      username: 'lock-17',
      password: 'lock-17',
      protocolVersion: 5,
    });
    device.on('message', (_topic, payload, { properties: { responseTopic = '', correlationData } = {} }) => {
      if (correlationData !== undefined) {
        device.publish(responseTopic, `${payload.toString()} is open`, { properties: { correlationData } });
      }
    });
    const topics = ['--topic', 'cmd/state', '--response-topic', 'state/lock-17/answers'];
    const args = ['request', '--client-id', 'lock-17', ...topics, '--payload', 'door'];
    const env = { ...KEYS, TIGHTBEAM_URL: `http://127.0.0.1:${ports.http}` };
    expect(await ended(tightbeam(args, env))).toEqual({ code: 0, stderr: '', stdout: 'door is open' });
    device.removeAllListeners('message');
    const silent = await ended(tightbeam([...args, '--timeout', '1'], env));
    expect(silent).toMatchObject({ code: 8, stdout: '' });
    expect(silent.stderr).toContain('504 ACKNOWLEDGED_NOT_ANSWERED');
    await device.endAsync(true);
  });

  test('ends at once on a second SIGTERM, whatever is in flight', async () => {
    const service = tightbeam(['dev'], FREE_PORTS);
    const { ports } = await lineOf(service, 'ready');
    const url = `mqtt://127.0.0.1:${ports.mqtt}`;
    const device = await mqtt.connectAsync(url, { clientId: 'lock-17', username: 'lock-17', password: 'lock-17' });
    device.handleMessage = () => undefined;
    const received = once(emitter(device), 'packetreceive');
    const env = { ...KEYS, TIGHTBEAM_URL: `http://127.0.0.1:${ports.http}` };
    tightbeam(['send', '--client-id', 'lock-17', '--topic', 'cmd/open', '--timeout', '15'], env);
    await received;
    const end = once(service, 'exit');
    service.kill('SIGTERM');
    await lineOf(service, 'draining');
    service.kill('SIGTERM');
    expect(await end).toEqual([143, null]);
    await device.endAsync(true);
  });

  test('ends by a SIGTERM that comes before it is ready', async () => {
    const settings = join(mkdtempSync(join(tmpdir(), 'tightbeam-start-')), 'settings.json');
    execFileSync('mkfifo', [settings]);
    const service = tightbeam(['dev', '--config', settings], FREE_PORTS);
    const end = once(service, 'exit');
    // Opens when the service has begun to read, and no sooner.
    const file = await open(settings, 'w');
    service.kill('SIGTERM');
    await file.close();
    expect(await end).toEqual([143, null]);
  });

  test.each(['dev', 'demo'])('says what an installation for production lacks: %s', async (command) => {
    const root = join(import.meta.dirname, '../..');
    const installation = mkdtempSync(join(tmpdir(), 'tightbeam-production-'));
    for (const name of ['package.json', 'proto', 'policies']) {
      symlinkSync(join(root, name), join(installation, name));
    }
    // A copy, for Node looks for packages beside the real file.
    cpSync(join(root, 'dist'), join(installation, 'dist'), { recursive: true });
    mkdirSync(join(installation, 'node_modules'));
    for (const name of readdirSync(join(root, 'node_modules')).filter((name) => name !== 'aedes')) {
      symlinkSync(join(root, 'node_modules', name), join(installation, 'node_modules', name));
    }
    const child = spawn(process.execPath, [join(installation, 'dist/cli/main.js'), command], {
      env: { PATH: process.env['PATH'], ...FREE_PORTS },
    });
    children.push(child);
    const end = await ended(child);
    rmSync(installation, { recursive: true });
    expect(end.code).toBe(1);
    expect(end.stderr).toMatch(/needs the package aedes/);
    expect(end.stderr).not.toContain('    at ');
  });

  test('refuses to start with a policy that is malformed, and names file, statement and reason', async () => {
    const policies = mkdtempSync(join(tmpdir(), 'tightbeam-policies-'));
    writeFileSync(join(policies, 'principals.json'), '{"principals":{}}');
    writeFileSync(
      join(policies, 'bad.json'),
      '{"Version":"2012-10-17","Statement":[{"Sid":"Odd","Effect":"Perhaps","Action":"iot:Publish","Resource":"*"}]}',
    );
    const end = await ended(tightbeam(['dev'], { ...FREE_PORTS, TIGHTBEAM_POLICIES: policies }));
    expect(end.code).toBe(1);
    expect(end.stderr).toMatch(/bad\.json.*Odd.*Effect/);
    expect(end.stderr).not.toContain('    at ');
  });

  test('refuses to start with a configuration that is not valid, and names each mistake', async () => {
    const end = await ended(tightbeam(['dev'], { TIGHTBEAM_HTTP_PORT: 'x', TIGHTBEAM_NONSENSE: '1' }));
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('http.port (TIGHTBEAM_HTTP_PORT)');
    expect(end.stderr).toContain('TIGHTBEAM_NONSENSE');
  });
});

describe('tightbeam send', () => {
  test('says so where nobody answers', async () => {
    const end = await ended(
      tightbeam(['send', '--client-id', 'a', '--topic', 't', '--endpoint', 'http://127.0.0.1:9'], KEYS),
    );
    expect(end.code).toBe(1);
    expect(end.stderr).toContain('http://127.0.0.1:9');
  });

  test('says what answered where it is no data plane', async () => {
    const other = createServer((_, response) => response.writeHead(502).end('<html>')).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const endpoint = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const end = await ended(tightbeam(['send', '--client-id', 'a', '--topic', 't', '--endpoint', endpoint], KEYS));
    other.close();
    expect(end.code).toBe(1);
    expect(end.stderr).toContain(`${endpoint} answered HTTP 502`);
  });

  test.each([
    [['--payload', 'a', '--file', 'f'], 'cannot be used with'],
    [['--endpoint', 'http://127.0.0.1:9/path'], 'without a path'],
    [['--endpoint', 'localhost:8080'], 'It must be http://HOST:PORT'],
  ])('refuses %j', async (args, says) => {
    const end = await ended(tightbeam(['send', '--client-id', 'a', '--topic', 't', ...args], KEYS));
    expect(end.code).toBe(1);
    expect(end.stderr).toContain(says);
  });

  test('asks for credentials where there are none', async () => {
    const end = await ended(tightbeam(['send', '--client-id', 'a', '--topic', 't']));
    expect(end).toMatchObject({ code: 1 });
    expect(end.stderr).toContain('AWS_ACCESS_KEY_ID');
  });
});

describe('--help', () => {
  test('lists the commands, and the environment with them', async () => {
    expect((await ended(tightbeam(['--help']))).stdout).toMatch(/serve[^]*dev[^]*send[^]*request[^]*tail[^]*demo/);
    expect((await ended(tightbeam(['dev', '--help']))).stdout).toMatch(/TIGHTBEAM_MQTT_PORT[^]*SIGTERM/);
  });
});

describe('the examples of the package', () => {
  const example = (name: string, ...args: string[]) =>
    execFileSync(process.execPath, [`examples/${name}.mjs`, ...args], { encoding: 'utf8', env: process.env });

  test('run the service in a process of their own, and deliver to a device', () => {
    const lines = example('embed').trim().split('\n');
    expect(lines).toContain('lock-17 received now on cmd/open');
    expect(lines.at(-1)).toMatch(/^200 /);
  });

  test('send to a service that runs', async () => {
    const service = tightbeam(['dev'], FREE_PORTS);
    const { ports } = await lineOf(service, 'ready');
    process.env['TIGHTBEAM_URL'] = `http://127.0.0.1:${ports.http}`;
    try {
      expect(example('send', 'lock-20')).toMatch(/^404 CLIENT_NOT_CONNECTED /);
    } finally {
      delete process.env['TIGHTBEAM_URL'];
    }
  });
});
