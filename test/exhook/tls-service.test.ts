import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import { Authority, opensslAvailable } from '../http/pki.js';
import { captureLog } from '../telemetry/capture.js';

(opensslAvailable ? describe : describe.skip)('the service with exhook.tls', () => {
  let folder: string;
  let authority: Authority;
  let files: { readonly cert: string; readonly key: string };
  let service: Service | undefined;
  let log: ReturnType<typeof captureLog>;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-exhook-'));
    authority = new Authority(folder, 'ca');
    files = { cert: join(folder, 'live.pem'), key: join(folder, 'live.key') };
  });
  beforeEach(() => {
    put('/CN=first');
    log = captureLog();
  });
  afterEach(async () => {
    await service?.stop();
    service = undefined;
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function put(subject: string): void {
    const { cert, key } = authority.issue(subject);
    copyFileSync(cert, files.cert);
    copyFileSync(key, files.key);
  }

  async function start(tls: object, broker: 'emqx' | 'embedded' = 'emqx'): Promise<Service> {
    const free = { port: 0 };
    // Nobody listens there, and nobody has to: it is EMQX that calls the provider.
    const access = { ...DEV_DEFAULTS.broker, urls: ['mqtt://127.0.0.1:1'] };
    const settings = { ...DEV_DEFAULTS, broker: access, http: free, telemetry: free, exhook: { ...free, tls } };
    service = await startService(loadConfig(undefined, {}, settings), { broker, logDestination: log });
    return service;
  }

  async function subjectShownAt(port: number): Promise<unknown> {
    const socket = connect({ host: '127.0.0.1', port, ca: readFileSync(authority.certFile), ALPNProtocols: ['h2'] });
    await once(socket, 'secureConnect');
    const { CN } = socket.getPeerCertificate().subject;
    socket.destroy();
    return CN;
  }

  test('says https in its first line, and shows a renewed certificate without a restart', async () => {
    const { ports } = await start(files);
    expect(await log.next(({ msg }) => msg === 'listening')).toMatchObject({
      exhookUrl: `https://127.0.0.1:${ports.exhook}`,
    });
    expect(await subjectShownAt(ports.exhook ?? 0)).toBe('first');
    put('/CN=second');
    await log.next(({ msg }) => msg === 'The TLS files of the hook provider were reloaded.');
    expect(await subjectShownAt(ports.exhook ?? 0)).toBe('second');
  });

  test('does not start with files that are wrong, and names setting, file and rule', async () => {
    await expect(start({ ...files, clientCa: files.key })).rejects.toThrow(
      `exhook.tls.clientCa (${files.key}): must hold a certificate in PEM`,
    );
  });

  test('does not start without a key, nor with the embedded broker, which speaks no TLS', async () => {
    await expect(start({ cert: files.cert })).rejects.toThrow(/exhook\.tls\.key \(default\): /);
    await expect(start(files, 'embedded')).rejects.toThrow(/exhook\.tls: the embedded broker/);
  });
});
