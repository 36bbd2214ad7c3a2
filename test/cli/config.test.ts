import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { ConfigSchema } from '../../src/config/schema.js';
import { SECRET_SETTINGS } from '../../src/config/show.js';

const MAIN = join(import.meta.dirname, '../../dist/cli/main.js');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function config(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { cwd: folder, encoding: 'utf8' as const, env: { PATH: process.env['PATH'], ...env } };
  return spawnSync(process.execPath, [MAIN, 'config', ...args], options);
}

function write(name: string, text: string): void {
  writeFileSync(join(folder, name), text);
}

describe('tightbeam config show', () => {
  test('prints each setting with where it comes from, and no secret', () => {
    write('a.yaml', 'http:\n  port: 8123\nbroker:\n  api: { url: "http://e:1", key: k, secret: hunter2 }\n');
    const env = {
      TIGHTBEAM_BROKER_PASSWORD: 'hunter2',
      TIGHTBEAM_TAIL_TOKEN: 'hunter2',
      TIGHTBEAM_EXHOOK_PORT: '9001',
    };
    const { stdout, status } = config(['show', '--config', 'a.yaml'], env);
    expect(status).toBe(0);
    expect(stdout).toContain('  port: 8123 # a.yaml:2:3\n');
    expect(stdout).toContain('  port: 9001 # TIGHTBEAM_EXHOOK_PORT\n');
    expect(stdout).not.toContain('hunter2');
    expect(parse(stdout)).toMatchObject({
      http: { port: 8123 },
      broker: { password: '(hidden)', api: { secret: '(hidden)' } },
    });
  });

  test('hides every setting whose name says that it is a secret', () => {
    const all = pathsOf(z.toJSONSchema(ConfigSchema, { io: 'input', unrepresentable: 'any' }));
    const secret = all.filter((path) => /(password|secret|token)$/i.test(path));
    expect(secret.length).toBeGreaterThan(2);
    expect([...SECRET_SETTINGS].sort()).toEqual(secret.sort());
  });

  function pathsOf(group: object, above = ''): readonly string[] {
    const { properties = {} } = group as { readonly properties?: Readonly<Record<string, object>> };
    return Object.entries(properties).flatMap(([name, inner]) => [above + name, ...pathsOf(inner, `${above}${name}.`)]);
  }
});

describe('tightbeam config check', () => {
  test('finds every file that is missing or broken at once', () => {
    write('credentials.json', '{"mqttUsers":{"lock":""}}');
    write(
      'a.yaml',
      'http: { tls: { cert: none.pem, key: none.pem, clientCa: a.yaml } }\njwt: { issuer: i, audience: a, jwksFile: a.yaml }\n',
    );
    const { status, stdout, stderr } = config(['check', '--config', 'a.yaml']);
    expect([status, stdout]).toEqual([1, 'ok       the settings\n']);
    expect(stderr).toMatch(/^error {4}credentials\.json:1:15: mqttUsers\.lock: must be a text/m);
    expect(stderr).toMatch(/^error {4}policies: there is no folder policies$/m);
    expect(stderr).toMatch(/^error {4}http\.tls\.cert \(none\.pem\)/m);
    expect(stderr).toMatch(/^error {4}http\.tls\.clientCa \(a\.yaml\): must hold a certificate/m);
    expect(stderr).toMatch(/jwksFile|JSON/);
  });

  test('settings that are wrong are told as the service tells them', () => {
    write('a.yaml', 'http: { port: x }\n');
    const { status, stderr } = config(['check', '--config', 'a.yaml']);
    expect(status).toBe(1);
    expect(stderr).toContain('http.port (a.yaml:1:9): must be a whole number from 0 to 65535');
  });
});
