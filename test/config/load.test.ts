import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENVIRONMENT } from '../../src/config/environment.js';
import { z } from 'zod';
import { ConfigError, loadConfig } from '../../src/config/load.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { runs } from '../long.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-config-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

/** The problems of a configuration that must not load. */
function problemsOf(load: () => unknown): readonly string[] {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('The configuration loaded.');
}

describe('what overrides what', () => {
  test('nothing given, the documented defaults hold', () => {
    const config = loadConfig(undefined, {});
    expect(config).toMatchObject({
      http: { port: 8080 },
      exhook: { port: 9000 },
      embedded: { port: 1883 },
      policies: 'policies',
      limits: { payloadBytes: 131_072, clientIdCharacters: 128, topicBytes: 256, topicSlashes: 7 },
    });
  });

  test('the environment overrides the file, the file overrides the defaults of the command', () => {
    const yaml = file('a.yaml', 'http:\n  port: 1001\nexhook: { port: 1002 }\n');
    const config = loadConfig(yaml, { TIGHTBEAM_HTTP_PORT: '2001' }, { exhook: { port: 3002 }, policies: 'mine' });
    expect([config.http.port, config.exhook.port, config.policies]).toEqual([2001, 1002, 'mine']);
  });

  test('JSON is read like YAML, an empty file is no setting at all', () => {
    expect(loadConfig(file('a.json', '{"log":{"level":"debug"}}'), {}).log.level).toBe('DEBUG');
    expect(loadConfig(file('b.yaml', ''), {}).http.port).toBe(8080);
  });

  test('a list and a secret in a file come from the environment', () => {
    const config = loadConfig(undefined, {
      TIGHTBEAM_BROKER_URLS: 'mqtt://a:1883, mqtts://b:8883',
      TIGHTBEAM_BROKER_PASSWORD_FILE: file('password', 'secret\n'),
    });
    expect(config.broker).toMatchObject({ urls: ['mqtt://a:1883', 'mqtts://b:8883'], password: 'secret' });
  });

  test('variables of the commands and those that Kubernetes injects for Services are no settings', () => {
    const links = (service: string) => ({
      [`${service}_SERVICE_HOST`]: '10.0.0.1',
      [`${service}_SERVICE_PORT`]: '8080',
      [`${service}_SERVICE_PORT_HTTP`]: '8080',
      [`${service}_PORT`]: 'tcp://10.0.0.1:8080',
      [`${service}_PORT_8080_TCP`]: 'tcp://10.0.0.1:8080',
      [`${service}_PORT_8080_TCP_PROTO`]: 'tcp',
      [`${service}_PORT_8080_TCP_PORT`]: '8080',
      [`${service}_PORT_8080_TCP_ADDR`]: '10.0.0.1',
    });
    const env = { TIGHTBEAM_TAIL_URL: 'http://x', TIGHTBEAM_URL: 'http://x', ...links('TIGHTBEAM') };
    expect(loadConfig(undefined, { ...env, ...links('TIGHTBEAM_API_2') })).toEqual(loadConfig(undefined, {}));
  });

  test('port 0 stays 0: a free one is taken at start', () => {
    expect(loadConfig(undefined, { TIGHTBEAM_MQTT_PORT: '0' }).embedded.port).toBe(0);
  });

  test('the configuration is frozen all through', () => {
    const config = loadConfig(undefined, {});
    expect(Object.isFrozen(config) && Object.isFrozen(config.broker.urls)).toBe(true);
  });

  test.each(ENVIRONMENT.map(({ name }) => [name]))('%s is known to the schema', (name) => {
    const variable = ENVIRONMENT.find((known) => known.name === name);
    const value = variable?.kind === 'file' ? file('value', '\u0000') : '\u0000';
    // Whatever the schema says of the value, it must not say that there is no such setting.
    let problems: readonly string[] = [];
    try {
      loadConfig(undefined, { [name]: value });
    } catch (error) {
      problems = (error as ConfigError).problems;
    }
    expect(problems.filter((problem) => problem.includes('Unrecognized'))).toEqual([]);
  });
});

describe('mistakes', () => {
  test('are all found at once, each with the setting, where it came from, and the rule', () => {
    const yaml = file('bad.yaml', 'http: { port: 99999 }\nlimit: {}\nport: 1\nzzz: 1\n');
    const problems = problemsOf(() => loadConfig(yaml, { TIGHTBEAM_EXHOOK_PORT: 'abc', TIGHTBEAM_HTTP_PROT: '1' }));
    expect(problems).toEqual([
      'TIGHTBEAM_HTTP_PROT: there is no such setting; did you mean TIGHTBEAM_HTTP_PORT?',
      `http.port (${yaml}:1:9): must be a whole number from 0 to 65535`,
      'exhook.port (TIGHTBEAM_EXHOOK_PORT): must be a whole number from 0 to 65535',
      `limit (${yaml}:2:1): there is no such setting; did you mean limits?`,
      expect.stringMatching(
        /^port \(.*bad\.yaml:3:1\): there is no such setting; there is http\.port, .*telemetry\.port$/,
      ),
      `zzz (${yaml}:4:1): there is no such setting`,
    ]);
  });

  test.each([
    ['a list for an object', '[]', /must hold an object/],
    ['broken YAML', 'a: [', /bad\.yaml/],
    ['a broker URL with a path', 'broker: { urls: ["http://x"] }', /broker\.urls\.0 .*mqtt:\/\/HOST:PORT/],
    ['an account that is none', 'aws: { accountId: "12" }', /aws\.accountId .*12 digits/],
    [
      'a default timeout over the longest, even one nobody wrote',
      'limits: { timeoutSeconds: 3 }',
      /^limits\.defaultTimeoutSeconds .*: must not be more than timeoutSeconds$/,
    ],
    ['a port without a value', 'http: { port: }', /^http\.port .*1:9\): must be a whole number from 0 to 65535$/],
    [
      'an account without its quotes',
      'aws: { accountId: 123456789012 }',
      /accountId .*: must be 12 digits, in quotes$/,
    ],
    ['a value for a section', 'exhook: 3', /^exhook .*: must be a group of settings$/],
    ['a word that is none of those', 'broker: { kind: emqxx }', /^broker\.kind .*: must be emqx or door$/],
    [
      'a section without what it needs',
      'http: { tls: { cert: a, key: b } }',
      /^http\.tls\.clientCa .*1:9\): must be given$/,
    ],
    ['a list without entries', 'broker: { urls: [] }', /^broker\.urls .*: must have at least one entry$/],
    ['fewer connections at the most than at the start', 'broker: { connections: 9, maxConnections: 8 }', /less than/],
  ])('%s', (_, text, message) => {
    expect(problemsOf(() => loadConfig(file('bad.yaml', text), {})).join('\n')).toMatch(message);
  });

  test.each([
    ['a bracket left open', 'broker:\n  password: [hunter2\n', /line \d+, column \d+/],
    ['a quote left open', 'broker:\n  password: "hunter2\n', /line \d+, column \d+/],
    ['a wrong indentation', 'broker:\n  password: hunter2\n other: hunter2\n', /line 3, column \d+/],
    ['a name that stands twice', 'broker:\n  hunter2: 1\n  hunter2: 2\n', /line 3, column 3: duplicate key/],
    ['a character that begins no value', 'broker:\n  password: @hunter2\n', /line 2, column 13/],
    ['an unknown escape', 'broker:\n  password: "\\hunter2"\n', /line 2, column \d+/],
    ['a tag that nobody knows', 'broker:\n  password: !hunter2\n', /line 2, column 13/],
    ['an alias of nothing', 'broker:\n  password: *hunter2\n', /alias/],
    ['a template that was not filled in', 'broker:\n  password: {{ hunter2 }}\n', /broker\.password/],
  ])('of syntax are told by their place, and nothing of the file is shown: %s', (_, text, message) => {
    const warnings = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const problems = problemsOf(() => loadConfig(file('secrets.yaml', text), {})).join('\n');
    expect(problems).toMatch(/secrets\.yaml/);
    expect(problems).toMatch(message);
    expect(`${problems}${JSON.stringify(warnings.mock.calls)}`).not.toMatch(/hunter2|password:/);
    warnings.mockRestore();
  });

  test('a port that Kubernetes injected for a Service is told as that', () => {
    const env = { TIGHTBEAM_HTTP_PORT: 'tcp://10.0.0.1:8080', TIGHTBEAM_HTPT_PORT: '1', TIGHTBEAM_PORT: '8080' };
    expect(problemsOf(() => loadConfig(undefined, env))).toEqual([
      expect.stringMatching(/^TIGHTBEAM_HTTP_PORT: .*Kubernetes.*enableServiceLinks: false/),
      expect.stringMatching(/^TIGHTBEAM_HTPT_PORT: there is no such setting/),
      expect.stringMatching(/^TIGHTBEAM_PORT: there is no such setting/),
    ]);
  });

  test('a file that is not there is named', () => {
    expect(problemsOf(() => loadConfig(join(folder, 'none.yaml'), {})).join('\n')).toContain('none.yaml');
    expect(problemsOf(() => loadConfig(undefined, { TIGHTBEAM_BROKER_PASSWORD_FILE: '/none' })).join('\n')).toMatch(
      /TIGHTBEAM_BROKER_PASSWORD_FILE: .*ENOENT/,
    );
  });
});

describe("mistakes are told in the product's words, whatever stands where", () => {
  const junk = fc.constantFrom<unknown>(null, '', 'x', -1, 1.5, 1e12, true, [], ['x'], [[]], {}, { x: 1 }, NaN);
  const paths = pathsOf(z.toJSONSchema(ConfigSchema, { io: 'input', unrepresentable: 'any' }));

  test('any value in any setting', () => {
    fc.assert(
      fc.property(fc.constantFrom(...paths), junk, (path, value) => {
        const settings = path.reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<
          string,
          unknown
        >;
        try {
          loadConfig(undefined, {}, settings);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          for (const problem of error.problems)
            expect(problem).not.toMatch(/invalid|expected|received|too |unrecognized|NaN/i);
        }
      }),
      { numRuns: runs(500, 10_000) },
    );
  });

  function pathsOf(group: object): readonly string[][] {
    const { properties = {} } = group as { readonly properties?: Readonly<Record<string, object>> };
    return Object.entries(properties).flatMap(([name, inner]) => [
      [name],
      ...pathsOf(inner).map((path) => [name, ...path]),
    ]);
  }
});

describe('the hook provider', () => {
  const tls = { cert: 'c', key: 'k' };

  test.each([
    ['all addresses', { host: '0.0.0.0' }],
    ['an address of the network', { host: '10.0.0.7' }],
    ['all addresses of IPv6', { host: '::' }],
    ['a name', { host: 'service' }],
    ['TLS that takes every caller', { host: '0.0.0.0', tls }],
  ])('does not listen in silence on %s, where anybody can ask', (_, exhook) => {
    expect(problemsOf(() => loadConfig(undefined, {}, { exhook }))).toEqual([
      expect.stringMatching(/^exhook\.host.*clientCa.*unverifiedCallers/),
    ]);
  });

  test.each([
    ['a loopback address', { host: '127.0.0.2' }],
    ['that of IPv6', { host: '::1' }],
    ['localhost', { host: 'localhost' }],
    ['all addresses with certificates of callers', { host: '0.0.0.0', tls: { ...tls, clientCa: 'a' } }],
    [
      'all addresses of a network that is said to be trusted',
      { host: '0.0.0.0', unverifiedCallers: 'trusted-network' },
    ],
  ])('listens on %s', (_, exhook) => {
    expect(loadConfig(undefined, {}, { exhook }).exhook.host).toBe(exhook.host);
  });
});
