import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import type { MutualTlsMaterial } from '../../src/http/tls.js';
import { CertificateAuthenticator } from '../../src/identity/certificates.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import { loadTls, watchTls, type TlsFiles } from '../../src/tls/files.js';
import { Authority, opensslAvailable } from './pki.js';
import {
  CREDENTIALS,
  expectError,
  openSocket,
  REGION,
  sign,
  startServer,
  type Received,
  type TestServer,
} from './support.js';

const MESSAGE = { path: '/connections/lock-17/messages', query: { topic: 'cmd' }, body: 'open' };

(opensslAvailable ? describe : describe.skip)('mutual TLS', () => {
  let folder: string;
  let authority: Authority;
  let own: { cert: string; key: string };
  let client: { cert: string; key: string };
  let server: TestServer;
  const material = (changes: Partial<MutualTlsMaterial> = {}): MutualTlsMaterial => ({
    cert: readFileSync(own.cert, 'utf8'),
    key: readFileSync(own.key, 'utf8'),
    clientCa: readFileSync(authority.certFile, 'utf8'),
    ...changes,
  });
  const agents: Agent[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-tls-'));
    authority = new Authority(folder, 'ca');
    own = authority.issue('/CN=server');
    client = authority.issue('/C=SE/O=Example, Inc./OU=fleet/CN=backend');
  });
  beforeEach(async () => {
    const accessKeys = { secretsOf: () => [CREDENTIALS.secretAccessKey] };
    server = await startServer({
      tls: material(),
      authenticators: [
        new SigV4Authenticator({ accessKeys, region: REGION, now: () => Date.now() }),
        new CertificateAuthenticator(),
      ],
    });
  });
  afterEach(async () => {
    for (const agent of agents.splice(0)) agent.destroy();
    await server.dataPlane.stop();
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function agentOf(files?: { cert: string; key: string }): Agent {
    const agent = new Agent({
      keepAlive: true,
      ca: readFileSync(authority.certFile),
      ...(files && { cert: readFileSync(files.cert), key: readFileSync(files.key) }),
    });
    agents.push(agent);
    return agent;
  }

  async function send(agent: Agent, headers: Readonly<Record<string, string>> = {}): Promise<Received> {
    const path = `${MESSAGE.path}?topic=cmd`;
    const outgoing = httpsRequest({ host: '127.0.0.1', port: server.port, method: 'POST', path, agent, headers });
    outgoing.end(MESSAGE.body);
    const [incoming] = (await once(outgoing, 'response')) as [IncomingMessage];
    const body = JSON.parse(await text(incoming)) as Record<string, unknown>;
    return { status: incoming.statusCode ?? 0, headers: incoming.headers, body };
  }

  test('the certificate is the identity of the caller', async () => {
    expect((await send(agentOf(client))).status).toBe(200);
    const { fingerprint256, serialNumber } = new X509Certificate(readFileSync(client.cert));
    expect(server.events.direct[0]?.sender).toEqual({
      protocol: 'HTTP',
      secureTransport: true,
      sourceIp: '127.0.0.1',
      sourcePort: expect.any(Number),
      certificate: {
        commonName: 'backend',
        distinguishedName: 'CN=backend,OU=fleet,O=Example\\, Inc.,C=SE',
        fingerprint: fingerprint256.replaceAll(':', '').toLowerCase(),
        issuer: 'CN=ca',
        serialNumber,
      },
    });
  });

  test('curl --cert --key, as in the example of AWS', async () => {
    const { stdout } = await promisify(execFile)('curl', [
      '--silent',
      '--tlsv1.2',
      '--cacert',
      authority.certFile,
      '--cert',
      client.cert,
      '--key',
      client.key,
      '--request',
      'POST',
      '--data',
      'open',
      `https://127.0.0.1:${server.port}${MESSAGE.path}?topic=cmd&confirmation=true`,
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ traceId: server.events.direct[0]?.traceId });
    expect(server.delivery.messages).toMatchObject([{ targetClientId: 'lock-17', confirmation: true }]);
  });

  test('without a certificate the caller needs other credentials, which count here too', async () => {
    const agent = agentOf();
    expectError(await send(agent), 'MISSING_CREDENTIALS');
    const { headers = {} } = await sign(server.port, MESSAGE);
    expect((await send(agent, headers)).status).toBe(200);
    expect(server.events.direct.at(-1)?.sender).toMatchObject({ accessKeyId: 'AKIAIOSFODNN7EXAMPLE' });
  });

  test('what is signed counts as who signed it, and the certificate of the connection for nothing', async () => {
    const { headers = {} } = await sign(server.port, MESSAGE);
    expect((await send(agentOf(client), headers)).status).toBe(200);
    expect(server.events.direct[0]?.sender).toEqual({
      protocol: 'HTTP',
      secureTransport: true,
      sourceIp: '127.0.0.1',
      sourcePort: expect.any(Number),
      accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    });
  });

  test('a peer that never speaks TLS is given up, and told', async () => {
    const impatient = await startServer({ tls: material(), timeouts: { headersMs: 50 } });
    const socket = await openSocket(impatient.port);
    const closed = once(socket.resume(), 'close');
    expect(await impatient.events.next('HttpRequest')).toMatchObject({
      details: 'The TLS handshake failed (ERR_TLS_HANDSHAKE_TIMEOUT).',
    });
    await closed;
    await impatient.dataPlane.stop();
  });

  test('what is signed wrong is refused, whatever the certificate', async () => {
    const { headers = {} } = await sign(server.port, MESSAGE, {
      credentials: { ...CREDENTIALS, secretAccessKey: 'x' },
    });
    expectError(await send(agentOf(client), headers), 'INVALID_CREDENTIALS');
  });

  test('certificates of another authority and expired ones are refused, and the log says why', async () => {
    const stranger = new Authority(folder, 'stranger').issue('/CN=backend');
    expectError(await send(agentOf(stranger)), 'INVALID_CREDENTIALS');
    expectError(await send(agentOf(authority.issue('/CN=expired', -1))), 'INVALID_CREDENTIALS');
    const details = server.events.told.map((event) => event.details ?? '');
    expect(details[0]).toMatch(/SELF_SIGNED|UNABLE_TO/);
    expect(details[1]).toMatch(/CERT_HAS_EXPIRED/);
  });

  test('who is revoked is out, on open connections too', async () => {
    const revoked = authority.issue('/CN=revoked');
    const agent = agentOf(revoked);
    server.dataPlane.replaceTls(material({ clientCrl: authority.crl }));
    expect((await send(agent)).status).toBe(200);
    authority.revoke(revoked.cert);
    const [open] = Object.values(agent.freeSockets).flatMap((sockets) => sockets ?? []);
    server.dataPlane.replaceTls(material({ clientCrl: authority.crl }));
    if (open !== undefined) await once(open, 'close');
    expectError(await send(agent), 'INVALID_CREDENTIALS');
    expect(server.events.told.at(-1)?.details).toMatch(/CERT_REVOKED/);
    expect((await send(agentOf(client))).status).toBe(200);
  });

  test('a connection that is busy while the material is replaced ends with its answer', async () => {
    let begin = (): void => undefined;
    const begun = new Promise<void>((resolve) => (begin = resolve));
    let finish = (): void => undefined;
    server.delivery.answer = () => {
      begin();
      return new Promise((resolve) => {
        finish = () => {
          resolve('DISPATCHED');
        };
      });
    };
    const answer = send(agentOf(client));
    await begun;
    server.dataPlane.replaceTls(material());
    finish();
    expect((await answer).headers['connection']).toBe('close');
  });

  test('the server shows its new certificate without a restart', async () => {
    const serialOf = async (): Promise<string | undefined> => {
      const agent = agentOf(client);
      const connected = new Promise<TLSSocket>((resolve) => {
        agent.once('free', (socket: TLSSocket) => {
          resolve(socket);
        });
      });
      await send(agent);
      return (await connected).getPeerX509Certificate()?.serialNumber;
    };
    const before = await serialOf();
    const renewed = authority.issue('/CN=server-renewed');
    server.dataPlane.replaceTls(
      material({ cert: readFileSync(renewed.cert, 'utf8'), key: readFileSync(renewed.key, 'utf8') }),
    );
    expect(await serialOf()).not.toBe(before);
  });

  test('a caller who speaks no TLS is reported and does no harm', async () => {
    const socket = await openSocket(server.port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const event = await server.events.next('HttpRequest');
    expect(event).toMatchObject({
      reason: 'INVALID_REQUEST',
      details: 'The TLS handshake failed (ERR_SSL_HTTP_REQUEST).',
    });
    socket.destroy();
    expect((await send(agentOf(client))).status).toBe(200);
  });

  describe('the files', () => {
    let files: TlsFiles<MutualTlsMaterial>;
    beforeEach(() => {
      files = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key'), clientCa: join(folder, 'live-ca.pem') };
      copyFileSync(own.cert, files.cert);
      copyFileSync(own.key, files.key);
      copyFileSync(authority.certFile, files.clientCa);
    });

    test('are read, and those that do not fit together are refused', () => {
      expect(loadTls(files, 'http.tls')).toEqual(material());
      copyFileSync(client.key, files.key);
      expect(() => loadTls(files, 'http.tls')).toThrow(/key/i);
      rmSync(files.key);
      expect(() => loadTls(files, 'http.tls')).toThrow(/live\.key/);
    });

    test('are watched: a change is told, and so is what is wrong with it', async () => {
      const told: (MutualTlsMaterial | Error)[] = [];
      let wake = (): void => undefined;
      const tell = (what: MutualTlsMaterial | Error): void => {
        told.push(what);
        wake();
      };
      const watch = watchTls(
        files,
        'http.tls',
        {
          changed: tell,
          failed: (error) => {
            tell(error as Error);
          },
        },
        10,
      );
      const nextTold = async (): Promise<MutualTlsMaterial | Error> => {
        while (told.length === 0) await new Promise<void>((resolve) => (wake = resolve));
        return told.splice(0).at(-1) as MutualTlsMaterial | Error;
      };
      writeFileSync(files.clientCa, `${readFileSync(authority.certFile, 'utf8')}\n`);
      expect(await nextTold()).toMatchObject({ clientCa: expect.stringMatching(/\n\n$/) });
      writeFileSync(files.key, 'no key');
      expect(await nextTold()).toHaveProperty(
        'message',
        expect.stringMatching(/^http\.tls\.key \(.*live\.key\): must hold a private key/),
      );
      watch.close();
    });
  });
});
