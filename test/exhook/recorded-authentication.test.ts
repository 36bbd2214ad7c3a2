import { afterEach, describe, expect, test } from '@jest/globals';
import type { ClientInfo, RequestOf } from '../../src/exhook/wire.js';
import { Credentials } from '../../src/identity/credentials.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';
import { startProvider } from './harness.js';
import { versions } from './recordings.js';

const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };
const DENIED = { type: 'STOP_AND_RETURN', bool_result: false };

type Asked = RequestOf<'OnClientAuthenticate'> & { readonly clientinfo: ClientInfo };

let harness: Awaited<ReturnType<typeof startProvider>> | undefined;
afterEach(() => harness?.stop());

/** A provider that knows who clients are as `serve` does: by these users, and by certificates. */
async function start(mqttUsers: Record<string, string | string[]>): Promise<void> {
  const credentials = Credentials.parse({ mqttUsers });
  const service = { username: 'tightbeam', password: 'own' };
  harness = await startProvider({ authenticator: new MqttAuthenticator({ credentials: () => credentials, service }) });
}

function running() {
  if (harness === undefined) throw new Error('No provider has been started.');
  return harness;
}

describe.each(versions)('clients of EMQX $version', ({ version, generation, calls }) => {
  const asked = calls
    .filter(({ method }) => method === 'OnClientAuthenticate')
    .map(({ request }) => request as never as Asked);
  const ask = (request: Asked, info: Partial<ClientInfo> = {}) =>
    running().call(generation, 'OnClientAuthenticate', { ...request, clientinfo: { ...request.clientinfo, ...info } });
  const named = asked.filter(({ clientinfo }) => clientinfo.username !== '');
  const certified = asked.filter(({ clientinfo }) => clientinfo.cn !== '' && clientinfo.username === '');
  const unknown = asked.filter((each) => !named.includes(each) && !certified.includes(each));
  const passwords: Record<string, string[]> = {};
  for (const { clientinfo } of named) (passwords[clientinfo.username] ??= []).push(clientinfo.password);

  test('are told to be accepted or not by what EMQX has configured, and not by who they are', () => {
    const accepted = asked.filter(({ result }) => result).length;
    expect(`${accepted} of ${asked.length}`).toBe(version === '5.8.9' ? '0 of 18' : '19 of 20');
  });

  test('are denied with a wrong password, each of them', async () => {
    await start(Object.fromEntries(Object.keys(passwords).map((username) => [username, 'the right one'])));
    expect(named.length).toBeGreaterThan(2);
    for (const request of named) {
      expect(await ask(request)).toEqual(DENIED);
      expect(await ask(request, { password: '' })).toEqual(DENIED);
    }
  });

  test('are denied under a name that nobody has, and under that of the service', async () => {
    await start({});
    for (const request of asked) {
      expect(await ask(request, { username: 'backend' })).toEqual(DENIED);
      expect(await ask(request, { username: 'tightbeam' })).toEqual(DENIED);
    }
  });

  test('are admitted with the right password', async () => {
    const right = Object.entries(passwords).map(
      ([name, all]) => [name, all.filter((password) => password !== '')] as const,
    );
    await start(Object.fromEntries(right.filter(([, all]) => all.length > 0)));
    for (const request of named) {
      expect(await ask(request)).toEqual(request.clientinfo.password === '' ? DENIED : ALLOWED);
    }
  });

  test('are admitted with a certificate, of which EMQX tells both names', async () => {
    await start({});
    expect(certified.length).toBeGreaterThan(0);
    for (const request of certified) {
      expect(await ask(request)).toEqual(ALLOWED);
      expect(request.clientinfo.dn).toBe(
        `CN=${request.clientinfo.cn},${request.clientinfo.dn.split(',').slice(1).join()}`,
      );
      // As a header of the PROXY protocol would fill them.
      expect(await ask(request, { dn: request.clientinfo.cn })).toEqual(DENIED);
    }
  });

  test('are denied with neither', async () => {
    await start({});
    expect(unknown.length).toBeGreaterThan(2);
    for (const request of unknown) expect(await ask(request)).toEqual(DENIED);
  });
});
