import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { Authority, opensslAvailable } from '../../http/pki.js';
import { all, ListenerRig, LOCAL, PROXY, read } from './listener-rig.js';

let rig: ListenerRig;
beforeEach(() => {
  rig = new ListenerRig();
});
afterEach(() => rig.stop());

(opensslAvailable ? describe : describe.skip)('with TLS', () => {
  type Files = { readonly cert: string; readonly key: string };
  let folder: string;
  let authority: Authority;
  let other: Authority;
  let own: Files;
  let device: Files;
  let stranger: Files;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-listener-'));
    authority = new Authority(folder, 'ca');
    other = new Authority(folder, 'other');
    own = authority.issue('/CN=door');
    device = authority.issue('/O=Acme/CN=lock-17');
    stranger = other.issue('/CN=lock-17');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  const text = (file: string): string => readFileSync(file, 'utf8');
  const material = (clientCa?: Authority, clientCrl?: string) => ({
    cert: text(own.cert),
    key: text(own.key),
    ...(clientCa && { clientCa: text(clientCa.certFile) }),
    ...(clientCrl !== undefined && { clientCrl }),
  });
  const tls = (clientCa?: Authority, optionalCertificate = false, clientCrl?: string) => ({
    tls: { material: material(clientCa, clientCrl), optionalCertificate },
  });

  function dialTls(files?: Files, options: ConnectionOptions = {}): TLSSocket {
    const socket = connectTls({
      port: rig.port,
      host: '127.0.0.1',
      ca: text(authority.certFile),
      ...(files && { cert: text(files.cert), key: text(files.key) }),
      ...options,
    });
    return rig.own(socket, () => socket.destroy());
  }

  test('a client without a certificate is handed on where none is asked for', async () => {
    await rig.start(tls());
    const socket = dialTls(undefined, { servername: 'door.example', checkServerIdentity: () => undefined });
    socket.write('hello');
    const { stream, endpoints } = await rig.next();
    expect(await read(stream, 5)).toBe('hello');
    expect(endpoints).toMatchObject({ secureTransport: true, serverName: 'door.example', sourceIp: '127.0.0.1' });
    expect(endpoints.certificate).toBeUndefined();
  });

  test.each([true, false])('a verified certificate says who it is; optional: %s', async (optional) => {
    await rig.start(tls(authority, optional));
    dialTls(device).write('hello');
    const { stream, endpoints } = await rig.next();
    expect(await read(stream, 5)).toBe('hello');
    expect(endpoints.certificate).toMatchObject({ commonName: 'lock-17', distinguishedName: 'CN=lock-17,O=Acme' });
  });

  test.each([
    ['none', 'required', undefined],
    ['one of another authority', 'required', () => stranger],
    ['one of another authority', 'optional', () => stranger],
  ])('a client that shows %s is refused and told of, where one is %s', async (_, how, files) => {
    await rig.start(tls(authority, how === 'optional'));
    await all(dialTls(files?.()));
    expect(rig.accepted).toEqual([]);
    expect(rig.logged).toMatchObject([
      ['info', expect.any(String), { sourceIp: '127.0.0.1', error: expect.stringMatching(/certificate/) }],
    ]);
  });

  test('a client without a certificate is handed on where it is optional', async () => {
    await rig.start(tls(authority, true));
    dialTls();
    const { endpoints } = await rig.next();
    expect(endpoints.certificate).toBeUndefined();
  });

  test('a revoked certificate is refused from the reload on, by resumed sessions too', async () => {
    const revoked = authority.issue('/CN=lock-18');
    const listener = await rig.start(tls(authority, false, authority.crl));
    const first = dialTls(revoked);
    const [session] = (await once(first, 'session')) as [Buffer];
    await rig.next();
    authority.revoke(revoked.cert);
    expect(listener.replaceTls(material(authority, authority.crl))).toBe(false);
    await all(dialTls(revoked, { session }));
    expect(rig.accepted).toEqual([]);
  });

  test('of an authority that is gone the reload tells', async () => {
    const listener = await rig.start(tls(authority));
    expect(listener.replaceTls(material(other))).toBe(true);
    await all(dialTls(device));
    expect(rig.accepted).toEqual([]);
    dialTls(stranger);
    const { endpoints } = await rig.next();
    expect(endpoints.certificate?.commonName).toBe('lock-17');
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['half a ClientHello', Buffer.of(0x16, 3, 1, 2, 0, 1)],
  ])('who says %s is closed', async (_, bytes) => {
    await rig.start({ ...tls(), timeoutMs: 50 });
    const socket = rig.dial();
    socket.write(bytes);
    await all(socket);
    expect(rig.accepted).toEqual([]);
  });

  test('clear text is closed at once, and told', async () => {
    await rig.start(tls());
    const socket = rig.dial();
    socket.write(Buffer.of(0x10, 20));
    socket.write('x'.repeat(20));
    await all(socket);
    expect(rig.logged).toMatchObject([['info', expect.any(String), { sourceIp: '127.0.0.1' }]]);
  });

  test('begins behind the header of a proxy', async () => {
    await rig.start({ ...tls(authority), proxies: LOCAL });
    const raw = rig.dial();
    raw.write(PROXY);
    const { cert, key } = device;
    const socket = connectTls({
      socket: raw,
      host: '127.0.0.1',
      ca: text(authority.certFile),
      cert: text(cert),
      key: text(key),
    });
    socket.on('error', () => undefined);
    socket.write('hello');
    const { stream, endpoints } = await rig.next();
    expect(await read(stream, 5)).toBe('hello');
    expect(endpoints).toMatchObject({ sourceIp: '192.0.2.1', certificate: { commonName: 'lock-17' } });
  });

  describe('and WebSockets', () => {
    const open = (headers: Record<string, string>): WebSocket => {
      const socket = new WebSocket(`wss://127.0.0.1:${rig.port}/mqtt`, ['mqtt'], {
        ca: text(authority.certFile),
        cert: text(device.cert),
        key: text(device.key),
        headers,
      });
      return rig.own(socket, () => {
        socket.terminate();
      });
    };

    test.each([
      ['counts, for who has chosen to show it', {}, 'lock-17'],
      [
        'counts for nothing from a browser, which any page can make connect',
        { origin: 'https://evil.example' },
        undefined,
      ],
    ])('a certificate %s', async (_, headers, name) => {
      await rig.start({ ...tls(authority, true), webSocket: { path: '/mqtt', messageBytes: 1_000 } });
      const socket = open(headers);
      await once(socket, 'open');
      const { stream, endpoints } = await rig.next();
      expect(endpoints.secureTransport).toBe(true);
      expect(endpoints.certificate?.commonName).toBe(name);
      socket.send(Buffer.from('hello'));
      expect(await read(stream, 5)).toBe('hello');
    });
  });
});
