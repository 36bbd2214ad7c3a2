import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { Client, credentials, status, type ChannelCredentials, type ServiceError } from '@grpc/grpc-js';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { createHookProvider, type HookProvider } from '../../src/exhook/provider.js';
import { serviceDefinition } from '../../src/exhook/protocol.js';
import type { ResponseOf } from '../../src/exhook/wire.js';
import type { TlsMaterial } from '../../src/tls/files.js';
import { Authority, opensslAvailable } from '../http/pki.js';
import { fakeAuthenticator, fakeAuthorizer, FakeEvents } from './fakes.js';
import { clientInfo, meta, type Logged } from './harness.js';

type Files = { readonly cert: string; readonly key: string };
const { path, requestSerialize, responseDeserialize } = serviceDefinition('v2').OnClientAuthenticate;

(opensslAvailable ? describe : describe.skip)('the hook provider with TLS', () => {
  let folder: string;
  let authority: Authority;
  let stranger: Authority;
  let own: Files;
  let emqx: Files;
  let provider: HookProvider;
  let port: number;
  let logged: Logged[];
  let wake = (): void => undefined;
  const clients: Client[] = [];
  const sessions = new WeakMap<TLSSocket, Buffer>();

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-exhook-'));
    authority = new Authority(folder, 'ca');
    stranger = new Authority(folder, 'stranger');
    own = authority.issue('/CN=tightbeam');
    emqx = authority.issue('/CN=emqx');
  });
  beforeEach(() => {
    logged = [];
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await provider.stop(100);
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const material = (files: Files, clientCa?: Authority): TlsMaterial => ({
    cert: readFileSync(files.cert, 'utf8'),
    key: readFileSync(files.key, 'utf8'),
    ...(clientCa && { clientCa: readFileSync(clientCa.certFile, 'utf8') }),
  });

  async function start(tls: TlsMaterial): Promise<void> {
    provider = createHookProvider({
      authenticator: fakeAuthenticator(),
      authorizer: fakeAuthorizer(),
      events: new FakeEvents(),
      diagnostics: (...entry) => {
        logged.push(entry);
        wake();
      },
      serviceUsername: 'tightbeam',
      tls,
    });
    port = await provider.start('127.0.0.1', 0);
  }

  /** A caller that trusts this authority and shows this certificate. */
  function trusting({ certFile }: Authority, files?: Files): ChannelCredentials {
    const shown = files && [readFileSync(files.key), readFileSync(files.cert)];
    return credentials.createSsl(readFileSync(certFile), ...(shown ?? []));
  }

  function clientWith(channel: ChannelCredentials): Client {
    const client = new Client(`127.0.0.1:${port}`, channel);
    clients.push(client);
    return client;
  }

  /** Asks for a device. */
  function ask(client: Client): Promise<ResponseOf<'OnClientAuthenticate'>> {
    const request = { clientinfo: clientInfo({ password: 'right' }), result: false, meta };
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        (error: ServiceError | null, response?: ResponseOf<'OnClientAuthenticate'>) => {
          if (response === undefined) reject(error ?? new Error('neither error nor response'));
          else resolve(response);
        },
      );
    });
  }

  const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };
  const NO_ANSWER = { code: status.UNAVAILABLE };

  async function refusal(): Promise<object | undefined> {
    while (logged.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    const [level, message, fields] = logged[0] as Logged;
    expect([level, message]).toEqual(['warn', 'A TLS connection to the hook provider failed.']);
    return fields;
  }

  /** A connection of TLS alone, as who shows the certificate. */
  async function handshake(files: Files, ALPNProtocols = ['h2'], session?: Buffer): Promise<TLSSocket> {
    const socket = connect({
      host: '127.0.0.1',
      port,
      ca: readFileSync(authority.certFile),
      cert: readFileSync(files.cert),
      key: readFileSync(files.key),
      ALPNProtocols,
      ...(session && { session }),
    });
    socket.on('error', () => undefined);
    socket.on('session', (ticket: Buffer) => sessions.set(socket, ticket));
    await once(socket, 'secureConnect');
    // Only who reads notices that the other side has ended.
    return socket.resume();
  }

  test('answers who trusts its authority', async () => {
    await start(material(own));
    expect(await ask(clientWith(trusting(authority)))).toMatchObject(ALLOWED);
    expect(logged).toEqual([]);
  });

  test('is not believed by who trusts another', async () => {
    await start(material(own));
    await expect(ask(clientWith(trusting(stranger)))).rejects.toMatchObject(NO_ANSWER);
  });

  test('gives no answer in clear text', async () => {
    await start(material(own));
    await expect(ask(clientWith(credentials.createInsecure()))).rejects.toMatchObject(NO_ANSWER);
    expect(await refusal()).toEqual({
      remoteAddress: '127.0.0.1',
      remotePort: expect.any(Number),
      error: 'wrong version number',
    });
  });

  test('with clientCa, answers who shows a certificate of it', async () => {
    await start(material(own, authority));
    expect(await ask(clientWith(trusting(authority, emqx)))).toMatchObject(ALLOWED);
  });

  test.each([
    ['none', () => undefined, 'it shows no certificate'],
    ['one of another authority', () => stranger.issue('/CN=emqx'), /^its certificate: (SELF_SIGNED|UNABLE_TO)/],
    ['one that has expired', () => authority.issue('/CN=expired', -1), 'its certificate: CERT_HAS_EXPIRED'],
  ])('with clientCa, refuses who shows %s, and logs why', async (_, shown, why) => {
    await start(material(own, authority));
    await expect(ask(clientWith(trusting(authority, shown())))).rejects.toMatchObject(NO_ANSWER);
    expect(await refusal()).toMatchObject({
      remoteAddress: '127.0.0.1',
      error: expect.stringMatching(why),
    });
  });

  test('refuses who speaks another protocol within TLS', async () => {
    await start(material(own, authority));
    await expect(handshake(emqx, ['http/1.1'])).rejects.toThrow(/application protocol/);
    expect(await refusal()).toMatchObject({ error: expect.stringMatching(/application protocol|HTTP\/2/) });
  });

  test('shows a renewed certificate on new connections, takes further authorities, and keeps the open ones', async () => {
    await start(material(own, authority));
    const before = clientWith(trusting(authority, emqx));
    const open = await handshake(emqx);
    await ask(before);
    const more = readFileSync(authority.certFile, 'utf8') + readFileSync(stranger.certFile, 'utf8');
    provider.replaceTls({ ...material(authority.issue('/CN=renewed')), clientCa: more });
    const socket = await handshake(emqx);
    expect(socket.getPeerCertificate().subject.CN).toBe('renewed');
    expect(await ask(before)).toMatchObject(ALLOWED);
    expect(await ask(clientWith(trusting(authority, stranger.issue('/CN=emqx'))))).toMatchObject(ALLOWED);
    expect(open.closed).toBe(false);
    for (const end of [open, socket]) end.destroy();
  });

  test('with another clientCa, who showed a certificate of the one before is out, open connections and sessions too', async () => {
    await start(material(own, authority));
    const before = clientWith(trusting(authority, emqx));
    await ask(before);
    const socket = await handshake(emqx);
    const session = sessions.get(socket) ?? ((await once(socket, 'session')) as [Buffer])[0];
    const closed = once(socket, 'close');
    provider.replaceTls(material(own, stranger));
    await closed;
    await expect(ask(before)).rejects.toMatchObject(NO_ANSWER);
    expect(await refusal()).toMatchObject({ error: expect.stringMatching(/^its certificate: /) });

    logged.length = 0;
    const resumed = await handshake(emqx, ['h2'], session);
    expect(resumed.isSessionReused()).toBe(false);
    await once(resumed, 'close');
    expect(await refusal()).toMatchObject({ error: expect.stringMatching(/^its certificate: /) });
    expect(await ask(clientWith(trusting(authority, stranger.issue('/CN=emqx'))))).toMatchObject(ALLOWED);
  });

  test('a handshake that began before an authority was withdrawn counts for nothing', async () => {
    await start(material(own, authority));
    const raw = new Socket().connect(port, '127.0.0.1');
    await once(raw, 'connect');
    // The connection is accepted, and its handshake waits for the client.
    await ask(clientWith(trusting(authority, emqx)));
    provider.replaceTls(material(own, stranger));
    const socket = connect({
      socket: raw,
      ca: readFileSync(authority.certFile),
      cert: readFileSync(emqx.cert),
      key: readFileSync(emqx.key),
      ALPNProtocols: ['h2'],
      host: '127.0.0.1',
    });
    socket.on('error', () => undefined);
    await once(socket.resume(), 'close');
    expect(await refusal()).toMatchObject({ error: 'an authority was withdrawn since it began' });
  });

  test('ends with connections open that never spoke', async () => {
    await start(material(own, authority));
    const raw = new Socket().connect(port, '127.0.0.1');
    raw.on('error', () => undefined);
    await once(raw, 'connect');
    const closed = once(raw, 'close');
    await ask(clientWith(trusting(authority, emqx)));
    await provider.stop();
    await closed;
  });
});

test('a provider without TLS takes no material', () => {
  const options = {
    authenticator: fakeAuthenticator(),
    authorizer: fakeAuthorizer(),
    events: new FakeEvents(),
    diagnostics: () => undefined,
    serviceUsername: 'tightbeam',
  };
  expect(() => {
    createHookProvider(options).replaceTls({ cert: '', key: '' });
  }).toThrow('does not speak TLS');
});
