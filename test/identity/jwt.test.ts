import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { exportJWK, generateKeyPair, SignJWT, type JWK, type JWTPayload } from 'jose';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CallerRequest } from '../../src/identity/caller.js';
import { remoteKeys } from '../../src/identity/jwks.js';
import { KeyFile } from '../../src/identity/key-file.js';
import { JWT_ALGORITHMS, JwtAuthenticator, type JwtOptions } from '../../src/identity/jwt.js';

const ISSUER = 'https://issuer.example.com';
const AUDIENCE = 'tightbeam';

interface Key {
  readonly sign: (payload: JWTPayload, header?: { readonly alg?: string }) => Promise<string>;
  readonly jwk: JWK;
}

async function createKey(kid: string, alg = 'ES256'): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  return {
    sign: (payload) => new SignJWT(payload).setProtectedHeader({ alg, kid }).sign(privateKey),
    jwk: { ...(await exportJWK(publicKey)), kid, alg },
  };
}

const key = await createKey('one');
const next = await createKey('two');
const seconds = (): number => Math.floor(Date.now() / 1000);
const claims = (changes: JWTPayload = {}): JWTPayload => ({
  iss: ISSUER,
  aud: AUDIENCE,
  sub: 'backend',
  exp: seconds() + 60,
  ...changes,
});

let folder: string;
let file: string;
let now: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-jwks-'));
  file = join(folder, 'jwks.json');
  now = 0;
  writeKeys(key);
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function writeKeys(...keys: Key[]): void {
  writeFileSync(file, JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
}

function create(options: Partial<JwtOptions> = {}): JwtAuthenticator {
  return new JwtAuthenticator({
    issuer: ISSUER,
    audience: AUDIENCE,
    algorithms: JWT_ALGORITHMS,
    keys: new KeyFile(file, () => undefined).get,
    now: () => Date.now(),
    ...options,
  });
}

function request(...authorization: string[]): CallerRequest {
  return {
    method: 'GET',
    path: '/',
    rawQuery: '',
    query: new Map(),
    headers: new Map([['authorization', authorization]]),
    body: new Uint8Array(),
    peer: { protocol: 'HTTP', sourceIp: '192.0.2.1' },
  };
}

const verify = (token: string, options?: Partial<JwtOptions>) =>
  create(options).authenticate(request(`Bearer ${token}`));

describe('a token', () => {
  test('names the caller by its subject', async () => {
    expect(await verify(await key.sign(claims()))).toEqual({
      ok: true,
      identity: { protocol: 'HTTP', sourceIp: '192.0.2.1', jwtSubject: 'backend' },
    });
  });

  test('or by the claim configured', async () => {
    const token = await key.sign(claims({ client_id: 'fleet' }));
    expect(await verify(token, { subjectClaim: 'client_id' })).toMatchObject({ identity: { jwtSubject: 'fleet' } });
  });

  test.each(JWT_ALGORITHMS)('may be signed with %s', async (alg) => {
    const other = await createKey('other', alg);
    writeKeys(other);
    expect(await verify(await other.sign(claims()))).toMatchObject({ ok: true });
  });

  test('is asked for by its scheme alone', () => {
    const authenticator = create();
    expect(authenticator.authenticate(request())).toBeUndefined();
    expect(authenticator.authenticate(request('Basic eA=='))).toBeUndefined();
    expect(authenticator.authenticate(request('AWS4-HMAC-SHA256 Credential=x'))).toBeUndefined();
    expect(authenticator.authenticate(request('bearer x'))).toBeDefined();
  });

  const refused: [what: string, token: () => Promise<string>, details: RegExp][] = [
    ['of another issuer', () => key.sign(claims({ iss: 'other' })), /"iss"/],
    ['for another audience', () => key.sign(claims({ aud: 'other' })), /"aud"/],
    ['that has expired', () => key.sign(claims({ exp: seconds() - 31 })), /"exp"/],
    ['that never expires', () => key.sign({ iss: ISSUER, aud: AUDIENCE, sub: 'x' }), /"exp"/],
    ['that is not valid yet', () => key.sign(claims({ nbf: seconds() + 60 })), /"nbf"/],
    ['without a subject', () => key.sign({ iss: ISSUER, aud: AUDIENCE, exp: seconds() + 60 }), /"sub"/],
    ['with an empty subject', () => key.sign(claims({ sub: '' })), /not text/],
    ['with a subject that is a number', () => key.sign({ ...claims(), sub: 1 as unknown as string }), /sub/],
    ['of a key that nobody knows', () => next.sign(claims()), /JWKS/],
    ['that was changed', async () => `${(await key.sign(claims())).slice(0, -8)}AAAAAAAA`, /signature/],
    ['that is none', () => Promise.resolve('x.y.z'), /JW/],
    ['that is empty', () => Promise.resolve(''), /JW/],
    [
      'without a signature',
      () => {
        const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
        return Promise.resolve(`${part({ alg: 'none' })}.${part(claims())}.`);
      },
      /alg/,
    ],
    [
      'signed with the public key as if it were a secret',
      () =>
        new SignJWT(claims())
          .setProtectedHeader({ alg: 'HS256', kid: 'one' })
          .sign(Buffer.from(JSON.stringify(key.jwk).padEnd(32))),
      /alg/,
    ],
  ];
  test.each(refused)('%s is refused, and the log says why', async (_what, token, details) => {
    expect(await verify(await token())).toEqual({
      ok: false,
      reason: 'INVALID_CREDENTIALS',
      details: expect.stringMatching(details),
    });
  });

  test('the clock of the issuer may be a little off', async () => {
    expect(await verify(await key.sign(claims({ exp: seconds() - 20 })))).toMatchObject({ ok: true });
  });

  test('one of two tokens is not chosen', async () => {
    const token = await key.sign(claims());
    const verdict = await create().authenticate(request(`Bearer ${token}`, `Bearer ${token}`));
    expect(verdict).toMatchObject({ ok: false, details: 'There are several tokens.' });
  });
});

test.each([[['HS256']], [['none']], [['RS256', 'HS512']], [[]]])(
  'the algorithms %p are refused at the start',
  (algorithms) => {
    expect(() => create({ algorithms })).toThrow(/public key/);
  },
);

describe('keys in a file', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('are replaced when the file has changed; one that cannot be used leaves those before in force, and is told', async () => {
    jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'Date', 'performance'] });
    const told: unknown[] = [];
    const keys = new KeyFile(file, (error) => told.push(error));
    keys.watch(1_000);
    const authenticator = create({ keys: keys.get });
    const ask = async (by: Key) => (await authenticator.authenticate(request(`Bearer ${await by.sign(claims())}`)))?.ok;
    expect([await ask(key), await ask(next)]).toEqual([true, false]);
    writeKeys(next, key);
    jest.advanceTimersByTime(2_000);
    expect([await ask(key), await ask(next)]).toEqual([true, true]);
    expect(told).toEqual([]);
    for (const spoiled of ['', '{}']) {
      writeFileSync(file, spoiled);
      jest.advanceTimersByTime(2_000);
      expect([await ask(key), await ask(next)]).toEqual([true, true]);
    }
    expect(told).toHaveLength(2);
    writeKeys(next);
    jest.advanceTimersByTime(2_000);
    expect([await ask(key), await ask(next)]).toEqual([false, true]);
    keys.close();
    writeKeys(key);
    jest.advanceTimersByTime(9_000);
    expect(await ask(key)).toBe(false);
  });

  test.each([
    ['missing', undefined],
    ['no JSON', '{'],
    ['no key set', '{}'],
  ])('that is %s from the beginning is our fault, not the caller’s', async (_what, content) => {
    rmSync(file);
    if (content !== undefined) writeFileSync(file, content);
    expect(await verify(await key.sign(claims()))).toMatchObject({ ok: false, reason: 'CALLER_KEYS_UNAVAILABLE' });
  });
});

describe('keys of a URL', () => {
  test('are fetched once, and anew for a key that is not among them, but not for every such token', async () => {
    let keys = [key];
    let fetched = 0;
    const server = createServer((_request, response) => {
      fetched += 1;
      response.end(JSON.stringify({ keys: keys.map(({ jwk }) => jwk) }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const authenticator = create({ keys: remoteKeys(url, () => Date.now()) });
    const ask = async (by: Key) => (await authenticator.authenticate(request(`Bearer ${await by.sign(claims())}`)))?.ok;
    expect([await ask(key), await ask(key), fetched]).toEqual([true, true, 1]);
    keys = [next];
    expect([await ask(next), await ask(next), fetched]).toEqual([false, false, 1]);
    const later = Date.now() + 31_000;
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => later);
    expect([await ask(next), await ask(next), await ask(key), fetched]).toEqual([true, true, false, 2]);
    clock.mockRestore();
    server.closeAllConnections();
    server.close();
  });

  test('that can no longer be fetched serve for an hour, which is said once', async () => {
    let status = 200;
    const server = createServer((_request, response) => {
      response.writeHead(status).end(JSON.stringify({ keys: [key.jwk] }));
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const told: unknown[] = [];
    const keys = remoteKeys(
      url,
      () => now,
      (error) => told.push(error),
    );
    const started = Date.now();
    const clock = jest.spyOn(Date, 'now').mockImplementation(() => started + now);
    // The tokens themselves are valid all the time.
    const authenticator = create({ keys, now: () => started });
    const ask = async (minutes: number, by = key) => {
      now = minutes * 60_000;
      return authenticator.authenticate(request(`Bearer ${await by.sign(claims())}`));
    };
    try {
      expect(await ask(0)).toMatchObject({ ok: true });
      status = 500;
      expect([await ask(11), await ask(12), await ask(59)]).toMatchObject([{ ok: true }, { ok: true }, { ok: true }]);
      expect(told).toHaveLength(1);
      expect(await ask(59, next)).toMatchObject({ reason: 'CALLER_KEYS_UNAVAILABLE' });
      expect(await ask(61)).toMatchObject({ reason: 'CALLER_KEYS_UNAVAILABLE' });
      status = 200;
      expect(await ask(62)).toMatchObject({ ok: true });
    } finally {
      clock.mockRestore();
      server.closeAllConnections();
      server.close();
    }
  });

  test('that does not answer are our fault, not the caller’s', async () => {
    const keys = remoteKeys(new URL('http://127.0.0.1:1/'), () => now);
    expect(await verify(await key.sign(claims()), { keys })).toMatchObject({ reason: 'CALLER_KEYS_UNAVAILABLE' });
  });

  test.each([
    ['answers with an error', 500, ''],
    ['answers with no key set', 200, '{}'],
    ['answers with no JSON', 200, '{'],
  ])('of an issuer that %s are asked for once, by all who wait, and not again for a while', async (_, status, body) => {
    let answer = { status, body };
    let fetched = 0;
    const server = createServer((_request, response) => {
      fetched += 1;
      response.writeHead(answer.status).end(answer.body);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const authenticator = create({ keys: remoteKeys(url, () => now) });
    const token = await key.sign(claims());
    const ask = () => authenticator.authenticate(request(`Bearer ${token}`));
    const unavailable = { ok: false, reason: 'CALLER_KEYS_UNAVAILABLE' };

    expect(await Promise.all([ask(), ask(), ask()])).toMatchObject([unavailable, unavailable, unavailable]);
    answer = { status: 200, body: JSON.stringify({ keys: [key.jwk] }) };
    now = 9_999;
    expect([await ask(), fetched]).toMatchObject([unavailable, 1]);
    now = 10_000;
    expect([await ask(), await ask(), fetched]).toMatchObject([{ ok: true }, { ok: true }, 2]);
    server.closeAllConnections();
    server.close();
  });
});
