import { beforeEach, describe, expect, test } from '@jest/globals';
import { createHmac } from 'node:crypto';
import type { CallerRequest } from '../../src/identity/caller.js';
import { Seal } from '../../src/console/seal.js';
import { SESSION_MS, Sessions } from '../../src/console/session.js';
import { ANSWER_MS, SignIn, signedText, type Attempt } from '../../src/console/sign-in.js';

const ORIGIN = 'http://127.0.0.1:8090';
const KEY = 'AKIAIOPERATOREXAMPLE';

let now: number;
let secrets: Record<string, readonly string[]>;
let sessions: Sessions;
let signIn: SignIn;

beforeEach(() => {
  now = 1_000_000;
  secrets = { [KEY]: ['old', 'new'] };
  const seal = new Seal('a secret of all replicas, long enough');
  const accessKeys = { secretsOf: (id: string) => secrets[id] ?? [] };
  sessions = new Sessions({ seal, accessKeys, now: () => now });
  signIn = new SignIn({ seal, sessions, accessKeys, byAccessKey: true, linkFor: KEY, now: () => now });
});

function from(sourceIp: string): CallerRequest {
  return {
    ...{ method: 'POST', path: '/console/session', rawQuery: '', query: new Map(), headers: new Map() },
    body: new Uint8Array(),
    peer: { protocol: 'HTTP', sourceIp },
  };
}

function signed(secret: string, origin = ORIGIN, challenge = signIn.challenge()): Attempt {
  const signature = createHmac('sha256', secret)
    .update(signedText(KEY, origin, challenge))
    .digest('hex');
  return { way: 'accessKey', accessKeyId: KEY, challenge, signature };
}

const attempt = (made: Attempt, sourceIp = '127.0.0.1') => signIn.attempt(made, from(sourceIp), ORIGIN);

describe('signing in by access key', () => {
  test('each secret that is valid now signs in', async () => {
    expect(await attempt(signed('old'))).toMatchObject({ ok: true, identity: { accessKeyId: KEY } });
    expect(await attempt(signed('new'))).toMatchObject({ ok: true });
  });

  test('another secret, an unknown key and the origin of another page do not', async () => {
    expect(await attempt(signed('other'))).toMatchObject({ ok: false, reason: 'INVALID_CREDENTIALS' });
    expect(await attempt(signed('old', 'http://evil.example'))).toMatchObject({ ok: false });
    secrets = {};
    // What an unknown key is compared with is no secret of it.
    expect(await attempt(signed('-'))).toMatchObject({ ok: false });
  });

  test('a challenge is good once, for a minute, and only from here', async () => {
    const once = signed('old');
    expect(await attempt(once)).toMatchObject({ ok: true });
    expect(await attempt(once)).toMatchObject({ ok: false });
    const late = signed('old');
    now += ANSWER_MS;
    expect(await attempt(late)).toMatchObject({ ok: false });
    const forged = new Seal('another secret, as long as the first').seal('challenge', { endsAt: now + 1 });
    expect(await attempt(signed('old', ORIGIN, forged))).toMatchObject({ ok: false });
  });

  test('failed attempts from one address are throttled, successful ones are not', async () => {
    for (let count = 0; count < 30; count += 1) expect(await attempt(signed('old'))).toMatchObject({ ok: true });
    for (let count = 0; count < 10; count += 1) await attempt(signed('wrong'), '192.0.2.1');
    const throttled = { ok: false, reason: 'ACCOUNT_THROTTLED' };
    expect(await attempt(signed('old'), '192.0.2.1')).toMatchObject(throttled);
    expect(await attempt(signed('old'), '192.0.2.2')).toMatchObject({ ok: true });
  });
});

describe('signing in by local link', () => {
  test('a link is good once, for a minute, from this machine', async () => {
    const token = signIn.link() ?? '';
    expect(await attempt({ way: 'link', token }, '192.0.2.1')).toMatchObject({ ok: false });
    expect(await attempt({ way: 'link', token })).toMatchObject({ ok: true });
    expect(await attempt({ way: 'link', token })).toMatchObject({ ok: false });
    const late = signIn.link() ?? '';
    now += ANSWER_MS;
    expect(await attempt({ way: 'link', token: late })).toMatchObject({ ok: false });
  });
});

describe('a session', () => {
  async function begun() {
    const signedIn = await attempt(signed('old'));
    if (!signedIn.ok) throw new Error(signedIn.details);
    const began = sessions.begin(signedIn.basis);
    if (began === undefined) throw new Error('no session');
    return began;
  }

  test('is read by every replica with the same secret, and by no other', async () => {
    const { cookie } = await begun();
    const with_ = (secret: string) =>
      new Sessions({ seal: new Seal(secret), accessKeys: { secretsOf: () => [] }, now: () => now }).read(cookie);
    expect(with_('a secret of all replicas, long enough')).toBeDefined();
    expect(with_('another secret, as long as the first')).toBeUndefined();
  });

  test('changed in any byte it is none', async () => {
    const { cookie } = await begun();
    for (let at = 0; at < cookie.length; at += 7) {
      const changed = cookie.slice(0, at) + (cookie[at] === 'A' ? 'B' : 'A') + cookie.slice(at + 1);
      expect(sessions.read(changed)).toBeUndefined();
    }
  });

  test('a challenge is no session', () => {
    expect(sessions.read(signIn.challenge())).toBeUndefined();
  });

  test('ends with the secret it began with, though another is valid', async () => {
    const { session } = await begun();
    expect(await sessions.identify(session, from('127.0.0.1'))).toMatchObject({ ok: true });
    secrets = { [KEY]: ['new'] };
    expect(await sessions.identify(session, from('127.0.0.1'))).toMatchObject({ ok: false });
  });

  test('ends when its time has come, and when who has it signs out', async () => {
    const first = await begun();
    const second = await begun();
    sessions.end(first.session);
    expect(sessions.read(first.cookie)).toBeUndefined();
    expect(sessions.read(second.cookie)).toBeDefined();
    now += SESSION_MS;
    expect(sessions.read(second.cookie)).toBeUndefined();
  });

  test('of a local link ends with the process', async () => {
    const signedIn = await attempt({ way: 'link', token: signIn.link() ?? '' });
    const { session } = (signedIn.ok && sessions.begin(signedIn.basis)) || {};
    if (session === undefined) throw new Error('no session');
    expect(await sessions.identify(session, from('127.0.0.1'))).toMatchObject({ ok: true });
    const seal = new Seal('a secret of all replicas, long enough');
    const restarted = new Sessions({ seal, accessKeys: { secretsOf: (id) => secrets[id] ?? [] }, now: () => now });
    expect(await restarted.identify(session, from('127.0.0.1'))).toMatchObject({ ok: false });
  });
});
