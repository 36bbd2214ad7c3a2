import { beforeEach, describe, expect, test } from '@jest/globals';
import type { PresentedCredentials } from '../../src/identity/authenticator.js';
import { Credentials } from '../../src/identity/credentials.js';
import { GuessLimit } from '../../src/identity/guess-limit.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';

let now: number;
let limit: GuessLimit;
beforeEach(() => {
  now = 0;
  const credentials = Credentials.parse({ mqttUsers: { lock: 'right', other: 'right' } });
  limit = new GuessLimit({
    authenticator: new MqttAuthenticator({
      credentials: () => credentials,
      service: { username: 'tightbeam', password: 'own' },
    }),
    serviceUsername: 'tightbeam',
    clock: () => now,
  });
});

/** How it ended: `ok`, or the reason. */
async function attempt(password: string, claim: Partial<PresentedCredentials> = {}): Promise<string> {
  const base = { clientId: 'c', username: 'lock', sourceIp: '10.0.0.1', askedBy: '10.9.0.1' };
  const authentication = await limit.authenticate({ ...base, password, ...claim });
  return authentication.ok ? 'ok' : authentication.reason;
}

async function guess(
  times: number,
  claim: (at: number) => Partial<PresentedCredentials> = () => ({}),
): Promise<string[]> {
  const ends: string[] = [];
  for (let at = 0; at < times; at++) ends.push(await attempt('wrong', claim(at)));
  return ends;
}

const wrong = (times: number): string[] => Array<string>(times).fill('INVALID_CREDENTIALS');
const THROTTLED = 'AUTHENTICATION_THROTTLED';

describe('of one user and one address', () => {
  test('no password is looked at after ten wrong ones, not even the right one', async () => {
    expect(await guess(11)).toEqual([...wrong(10), THROTTLED]);
    expect(await attempt('right')).toBe(THROTTLED);
  });

  test('one more is looked at every six seconds', async () => {
    await guess(11);
    now += 6_000;
    expect(await guess(2)).toEqual([...wrong(1), THROTTLED]);
    now += 6_000;
    expect(await attempt('right')).toBe('ok');
  });

  test('guesses made at once are counted too', async () => {
    const ends = await Promise.all(Array.from({ length: 12 }, () => attempt('wrong')));
    expect(ends).toEqual([...wrong(10), THROTTLED, THROTTLED]);
  });

  test('right passwords count for nothing', async () => {
    for (let at = 0; at < 200; at++) expect(await attempt('right')).toBe('ok');
  });

  test('a hundred may be wrong where one was right: devices share users and addresses', async () => {
    await attempt('right');
    expect(await guess(101)).toEqual([...wrong(100), THROTTLED]);
  });

  test('others go on: another user, another address, another node of the broker', async () => {
    await guess(11);
    expect(await attempt('right', { username: 'other' })).toBe('ok');
    expect(await attempt('right', { sourceIp: '10.0.0.2' })).toBe('ok');
    expect(await attempt('right', { askedBy: '10.9.0.2' })).toBe('ok');
  });
});

describe('of one user and made-up addresses', () => {
  const from = (at: number): Partial<PresentedCredentials> => ({ sourceIp: `10.1.0.${at}` });

  test('no password is looked at after a hundred wrong ones, but from where one was right before', async () => {
    await attempt('right', { sourceIp: '10.0.0.7' });
    expect(await guess(101, from)).toEqual([...wrong(100), THROTTLED]);
    expect(await attempt('right', { sourceIp: '10.0.0.8' })).toBe(THROTTLED);
    expect(await attempt('right', { sourceIp: '10.0.0.7' })).toBe('ok');
  });

  test('the service is never kept out by others', async () => {
    await guess(200, (at) => ({ ...from(at), username: 'tightbeam' }));
    expect(await attempt('own', { username: 'tightbeam' })).toBe('ok');
  });
});

test('who brings no username is not limited: there is nothing to guess', async () => {
  for (let at = 0; at < 20; at++) {
    expect(await limit.authenticate({ clientId: 'c' })).toMatchObject({ reason: 'MISSING_CREDENTIALS' });
  }
});

test('the details say when the next is looked at, and nothing of the password', async () => {
  await guess(10);
  const claim = { clientId: 'c', username: 'lock', sourceIp: '10.0.0.1', askedBy: '10.9.0.1', password: 'hunter2' };
  const refusal = await limit.authenticate(claim);
  expect(refusal).toMatchObject({ details: expect.stringMatching(/from this address: .* in 6 s\.$/) });
  expect(JSON.stringify(refusal)).not.toContain('hunter2');
});
