import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request } from 'node:http';
import { ConfigSchema } from '../../src/config/schema.js';
import { ConsoleService, DASHBOARD, OPERATOR } from './service.js';

let console: ConsoleService;
let cookie: string;

beforeAll(async () => {
  console = await ConsoleService.start();
  cookie = await console.cookie();
});

afterAll(() => console.stop());

/** `fetch` writes Host and Origin itself. */
function raw(path: string, headers: Record<string, string>, method = 'GET'): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request(`${console.origin}${path}`, { method, headers, agent: false }, (response) => {
      response.resume();
      response.on('end', () => {
        resolve(response.statusCode ?? 0);
      });
    });
    asked.on('error', reject);
    asked.end();
  });
}

const EXPLAIN = JSON.stringify({ username: 'lock-17', action: 'iot:Receive', resource: 'topic/cmd/open' });
const RESOURCES = [
  { method: 'GET', path: '/connections/lock-17', dashboard: true },
  { method: 'GET', path: '/connections/lock-17/subscriptions', dashboard: false },
  { method: 'DELETE', path: '/connections/lock-17', dashboard: false },
  { method: 'POST', path: '/connections/lock-17/messages?topic=cmd/open', dashboard: false },
  { method: 'GET', path: '/tightbeam/v1/status', dashboard: false },
  { method: 'GET', path: '/tightbeam/v1/statistics', dashboard: false },
  { method: 'GET', path: '/tightbeam/v1/events?last=10&follow=false', dashboard: false },
  { method: 'POST', path: '/tightbeam/v1/policy/explain', body: EXPLAIN, dashboard: false },
  {
    method: 'POST',
    path: '/tightbeam/v1/policy/who-can',
    body: EXPLAIN.replace('"username":"lock-17",', ''),
    dashboard: false,
  },
  { method: 'POST', path: '/tightbeam/v1/policy/what-can', body: '{"username":"lock-17"}', dashboard: false },
] as const;

describe('what the console shows and does', () => {
  test.each(RESOURCES)('$method $path is for nobody without a session', async ({ method, path, ...more }) => {
    const body = 'body' in more ? { body: more.body } : {};
    expect((await console.ask(path, { method, ...body })).status).toBe(401);
  });

  test.each(RESOURCES)(
    '$method $path is decided by the policies of who signed in',
    async ({ method, path, ...more }) => {
      const body = 'body' in more ? { body: more.body } : {};
      const { status } = await console.ask(path, { method, ...body, cookie: await console.cookie(DASHBOARD) });
      expect(status === 403).toBe(!more.dashboard);
      expect((await console.ask(path, { method, ...body, cookie })).status).not.toBe(403);
    },
  );
});

describe('a page of another site', () => {
  const API = '/connections/lock-17';

  test('has no session by the cookie alone', async () => {
    const host = new URL(console.origin).host;
    expect(await raw(API, { host, cookie })).toBe(401);
    expect(await raw(API, { host, cookie, 'x-tightbeam-console': '1' })).not.toBe(401);
    expect(await raw(API, { host, cookie, 'x-tightbeam-console': '1', origin: 'http://evil.example' })).toBe(401);
    expect(await raw(API, { host, cookie, 'x-tightbeam-console': '1', 'sec-fetch-site': 'same-site' })).toBe(401);
  });

  test('changes nothing, not even without an Origin', async () => {
    const host = new URL(console.origin).host;
    const page = { host, cookie, 'x-tightbeam-console': '1' };
    expect(await raw(API, page, 'DELETE')).toBe(401);
    expect(await raw('/console/session', { ...page, origin: 'http://127.0.0.1:1' }, 'DELETE')).toBe(401);
    expect((await console.ask('/console/session', { cookie })).status).toBe(200);
  });

  test('is let in by no CORS', async () => {
    const response = await console.ask(API, { method: 'OPTIONS', headers: { 'access-control-request-method': 'GET' } });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });

  test('whose name resolves to here gets no answer (DNS rebinding)', async () => {
    for (const path of ['/', '/console/session', API]) {
      expect(await raw(path, { host: 'evil.example', cookie, 'x-tightbeam-console': '1' })).toBe(400);
      expect(await raw(path, { host: '127.0.0.1.evil.example', 'x-tightbeam-console': '1' })).toBe(400);
    }
    expect(await raw('/', { host: 'localhost:1' })).toBe(200);
  });

  test('cannot frame it, and the page loads and runs nothing that is not the console’s', async () => {
    const { headers } = await console.ask('/');
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|data:|\*/);
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect((await console.ask('/connections/lock-17')).headers.get('content-security-policy')).toBe(policy);
  });
});

describe('the session', () => {
  test('is a cookie that no script reads and no other site sends, and nothing of it is in the log', async () => {
    const response = await console.signIn(OPERATOR);
    const set = response.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/^tightbeam-\d+=[\w-]+; Path=\/; HttpOnly; SameSite=Strict$/);
    const value = /=([\w-]+);/.exec(set)?.[1] ?? '';
    expect(console.log.join('')).not.toContain(value);
    expect(console.log.join('')).toContain('"eventType":"SignIn"');
  });

  test('is over after signing out, also for who kept the cookie', async () => {
    const own = await console.cookie();
    expect((await console.ask('/connections/lock-17', { cookie: own })).status).not.toBe(401);
    expect((await console.ask('/console/session', { method: 'DELETE', cookie: own })).status).toBe(200);
    expect((await console.ask('/connections/lock-17', { cookie: own })).status).toBe(401);
  });

  test('ends with its access key', async () => {
    const own = await console.cookie(DASHBOARD);
    console.removeKey(DASHBOARD.id);
    await console.service.reload();
    expect((await console.ask('/connections/lock-17', { cookie: own })).status).toBe(401);
  });

  test('wrong attempts are told as failures, and after ten of them none is looked at', async () => {
    const own = await ConsoleService.start();
    for (let count = 0; count < 10; count += 1) {
      expect((await own.signIn({ ...OPERATOR, secret: 'wrong' })).status).toBe(401);
    }
    const response = await own.signIn(OPERATOR);
    expect(response.status).toBe(429);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    await own.stop();
  });
});

describe('the settings', () => {
  const problems = (settings: object): readonly string[] => {
    const read = ConfigSchema.safeParse({ console: settings });
    return read.error?.issues.map(({ path }) => path.join('.')) ?? [];
  };

  test('on other addresses than loopback it is over TLS, or behind a proxy that is said to be there', () => {
    const origins = ['https://console.example'];
    expect(problems({ host: '0.0.0.0', origins })).toContain('console.host');
    expect(problems({ host: '0.0.0.0', origins, behind: 'tls-proxy' })).toEqual([]);
    expect(problems({ host: '0.0.0.0', origins, tls: { cert: 'a', key: 'b', clientCa: 'c' } })).toEqual([]);
  });

  test('and says under which names people reach it', () => {
    expect(problems({ host: '0.0.0.0', behind: 'tls-proxy' })).toContain('console.origins');
    expect(problems({ origins: ['https://console.example/path'] })).toContain('console.origins.0');
  });

  test('without its section there is no console', () => {
    expect(ConfigSchema.parse({}).console).toBeUndefined();
  });
});
