import { describe, expect, test } from '@jest/globals';
import type { PresentedCredentials } from '../../src/identity/authenticator.js';
import { Credentials } from '../../src/identity/credentials.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';

const authenticator = new MqttAuthenticator({
  credentials: () => Credentials.parse({ mqttUsers: { lock: 'secret' } }),
  service: { username: 'tightbeam', password: 'own' },
});
const certificate = { commonName: 'device', distinguishedName: 'CN=device' };
const judge = (claim: Partial<PresentedCredentials>, by = authenticator) =>
  by.authenticate({ clientId: 'c', ...claim });

describe('an MQTT client is', () => {
  test('who its password proves', async () => {
    expect(await judge({ username: 'lock', password: 'secret', sourceIp: '10.0.0.1', sourcePort: 5 })).toEqual({
      ok: true,
      identity: { protocol: 'MQTT', clientId: 'c', username: 'lock', sourceIp: '10.0.0.1', sourcePort: 5 },
    });
  });

  test('who its verified certificate names', async () => {
    expect(await judge({ certificate })).toMatchObject({ ok: true, identity: { certificate, secureTransport: true } });
  });

  test('the service, by the password of the service', async () => {
    expect(await judge({ username: 'tightbeam', password: 'own' })).toMatchObject({ ok: true });
  });
});

describe('an MQTT client is refused', () => {
  test.each<[string, Partial<PresentedCredentials>, string]>([
    ['with a wrong password', { username: 'lock', password: 'x' }, 'INVALID_CREDENTIALS'],
    ['without a password', { username: 'lock' }, 'INVALID_CREDENTIALS'],
    ['by an unknown name', { username: 'nobody', password: 'secret' }, 'INVALID_CREDENTIALS'],
    ['with nothing', {}, 'MISSING_CREDENTIALS'],
    ['with an unverified name beside a certificate', { username: 'backend', certificate }, 'INVALID_CREDENTIALS'],
    ['as the service with a wrong password', { username: 'tightbeam', password: 'x' }, 'INVALID_CREDENTIALS'],
    ['as the service by certificate', { username: 'tightbeam', certificate }, 'INVALID_CREDENTIALS'],
  ])('%s', async (_, claim, reason) => {
    expect(await judge(claim)).toMatchObject({ ok: false, reason });
  });

  test('as the service, where no password of the service is configured', async () => {
    const without = new MqttAuthenticator({
      credentials: () => Credentials.parse({}),
      service: { username: 'tightbeam' },
    });
    expect(await judge({ username: 'tightbeam', password: '' }, without)).toMatchObject({ ok: false });
  });

  test('under the name in its certificate, with a hint at the setting that puts it there', async () => {
    expect(await judge({ username: 'device', certificate })).toMatchObject({
      ok: false,
      details: expect.stringContaining('peer_cert_as_username'),
    });
  });

  test('by a certificate that is not believed, and told why', async () => {
    expect(await judge({ certificateFault: 'It came by post.' })).toMatchObject({
      reason: 'MISSING_CREDENTIALS',
      details: expect.stringContaining('It came by post.'),
    });
  });

  test('without a word of the password in the details', async () => {
    expect(JSON.stringify(await judge({ username: 'lock', password: 'hunter2' }))).not.toContain('hunter2');
  });
});
