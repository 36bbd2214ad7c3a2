import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import mqtt, { type MqttClient } from 'mqtt';
import { family } from '../../src/cli/init/policies.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

let folder: string;
let service: ChildProcess | undefined;
let device: MqttClient | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-init-'));
});
afterEach(async () => {
  await device?.endAsync(true);
  device = undefined;
  if (service !== undefined) {
    service.kill();
    await once(service, 'exit');
    service = undefined;
  }
  rmSync(folder, { recursive: true });
});

/** Runs a command in the folder, with no settings but those given. */
function tightbeam(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: folder, encoding: 'utf8' as const, env: { PATH: process.env['PATH'], ...env } };
  return spawnSync(process.execPath, [MAIN, ...args], options);
}

function read(path: string): string {
  return readFileSync(join(folder, path), 'utf8');
}

interface Credentials {
  readonly accessKeys: Readonly<Record<string, string>>;
  readonly mqttUsers: Readonly<Record<string, string>>;
}

describe('a new project', () => {
  test.each(['embedded', 'emqx', 'mosquitto'])('for %s passes its own checks', (broker) => {
    const made = tightbeam([
      'init',
      '.',
      '--broker',
      broker,
      '--account-id',
      '123456789012',
      '--region',
      'eu-central-1',
    ]);
    expect(made).toMatchObject({ status: 0, stderr: '' });
    const checked = tightbeam(['config', 'check', '--config', 'tightbeam.yaml']);
    expect(checked).toMatchObject({ status: 0, stderr: '' });
    expect(checked.stdout).not.toMatch(/warning/);
    const tested = tightbeam(['policy', 'test', 'policies/tests/first.json', '--config', 'tightbeam.yaml']);
    expect(tested.stdout).toMatch('4 of 4 passed');
  });

  test('has secrets of its own, which only their owner can read and git leaves out', () => {
    const secrets = ['one', 'two'].map((name) => {
      tightbeam(['init', name, '--yes']);
      for (const file of ['credentials.json', 'broker-password']) {
        expect(statSync(join(folder, name, file)).mode & 0o777).toBe(0o600);
        expect(read(`${name}/.gitignore`)).toContain(file);
      }
      const { accessKeys, mqttUsers } = JSON.parse(read(`${name}/credentials.json`)) as Credentials;
      return [...Object.entries(accessKeys).flat(), ...Object.values(mqttUsers), read(`${name}/broker-password`)];
    });
    const all = secrets.flat();
    expect(new Set(all).size).toBe(all.length);
  });

  test('overwrites nothing', () => {
    writeFileSync(join(folder, 'credentials.json'), 'mine');
    const { status, stderr } = tightbeam(['init', '.', '--yes']);
    expect([status, stderr]).toEqual([
      1,
      'tightbeam: nothing was written, for these are there already in .: credentials.json\n',
    ]);
    expect(read('credentials.json')).toBe('mine');
    expect(() => read('tightbeam.yaml')).toThrow();
  });

  test.each([
    [['--broker', 'vernemq'], 'must be embedded, emqx or mosquitto'],
    [['--account-id', '12'], 'must be 12 digits'],
    [['--device', 'a/b'], 'letters, digits'],
    [['--broker-url', 'http://x'], 'mqtt://HOST:PORT'],
  ])('%j is refused with the rule', (args, rule) => {
    const { status, stderr } = tightbeam(['init', '.', ...args]);
    expect(status).toBe(1);
    expect(stderr).toContain(rule);
    expect(() => read('tightbeam.yaml')).toThrow();
  });

  test('delivers its first message', async () => {
    tightbeam(['init', '.', '--yes', '--device', 'valve-3']);
    const ports = Object.fromEntries(
      ['HTTP', 'EXHOOK', 'MQTT', 'METRICS'].map((name) => [`TIGHTBEAM_${name}_PORT`, '0']),
    );
    service = spawn(process.execPath, [MAIN, 'dev', '--config', 'tightbeam.yaml'], {
      cwd: folder,
      env: { PATH: process.env['PATH'], ...ports },
    });
    const { http, mqtt: port } = await portsOf(service);
    const { accessKeys, mqttUsers } = JSON.parse(read('credentials.json')) as Credentials;
    const password = mqttUsers['valve-3'] ?? '';
    device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
      clientId: 'valve-3',
      username: 'valve-3',
      password,
    });
    const received = new Promise<string>((resolve) => {
      device?.on('message', (_topic, payload) => {
        resolve(payload.toString());
      });
    });
    const [[id, secret] = ['', '']] = Object.entries(accessKeys);
    const to = [
      '--endpoint',
      `http://127.0.0.1:${http}`,
      '--client-id',
      'valve-3',
      '--topic',
      'cmd/open',
      '--payload',
      'now',
    ];
    const send = spawn(process.execPath, [MAIN, 'send', ...to], {
      env: { PATH: process.env['PATH'], AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret },
    });
    expect(await text(send.stdout)).toMatch(/^200 OK/);
    expect(await received).toBe('now');
  });
});

test('devices like the first are those of its name with other numbers', () => {
  expect(['lock-17', 'valve', '4711'].map(family)).toEqual(['lock-*', 'valve', '4711']);
});

async function portsOf(child: ChildProcess): Promise<Readonly<Record<'http' | 'mqtt', number>>> {
  if (!child.stdout) throw new Error('no standard output');
  for await (const line of createInterface({ input: child.stdout })) {
    const { msg, ports } = JSON.parse(line) as { msg?: string; ports?: Record<'http' | 'mqtt', number> };
    if (msg === 'ready' && ports !== undefined) {
      child.stdout.resume();
      return ports;
    }
  }
  throw new Error('It ended before it was ready.');
}
