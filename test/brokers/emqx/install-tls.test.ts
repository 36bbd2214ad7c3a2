import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExHookTls } from '../../../src/brokers/emqx/install/exhook-tls.js';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { FakeEmqx, HOOKS } from './fake-emqx.js';
import { RECORDED } from './recording.js';

const pem = (kind: string, text: string) => `-----BEGIN ${kind}-----\n${text}\n-----END ${kind}-----\n`;
const CA = pem('CERTIFICATE', 'authority');
const CLIENT = { cert: pem('CERTIFICATE', 'of EMQX'), key: pem('PRIVATE KEY', 'hunter2') };
const TLS = { ca: CA, client: CLIENT, serverName: 'tightbeam.internal' } satisfies ExHookTls;
const HTTPS = 'https://service:9000';
const STORED = 'data/certs/exhook/tightbeam';

describe.each(RECORDED)('installing into EMQX %s for a service with TLS', (version) => {
  let emqx: FakeEmqx;

  beforeEach(async () => {
    emqx = await FakeEmqx.start(version);
    emqx.folder = ['tightbeam-0.1.0'];
  });
  afterEach(() => emqx.stop());

  const plan = async (exHookUrl?: string, exHookTls: ExHookTls = {}) =>
    planInstall(await readState(emqx.api), {
      exclusive: false,
      reachWithinMs: 600,
      plugin: { version: '0.1.0', upgrade: false },
      exHookTls,
      ...(exHookUrl !== undefined && { exHookUrl }),
    });
  const install = async (...parameters: Parameters<typeof plan>) => carryOut(emqx.api, await plan(...parameters));
  const ssl = () => emqx.exHooks[0]?.['ssl'] as Record<string, unknown>;

  it('has EMQX check the service, show its certificate, and send the name', async () => {
    expect((await install(HTTPS, TLS)).left).toEqual([]);
    expect(emqx.exHooks[0]).toMatchObject({ url: HTTPS });
    expect(ssl()).toMatchObject({
      enable: true,
      verify: 'verify_peer',
      cacertfile: expect.stringContaining(`${STORED}/cacert-`),
      certfile: expect.stringContaining(`${STORED}/cert-`),
      keyfile: expect.stringContaining(`${STORED}/key-`),
      server_name_indication: 'tightbeam.internal',
    });
  });

  it('adds the server disabled and enables it by a change, for EMQX misreads certificates of what it adds', async () => {
    await install(HTTPS, TLS);
    expect(emqx.changes.slice(0, 2)).toEqual(['POST /exhooks', 'PUT /exhooks/tightbeam']);
    expect(emqx.exHooks).toEqual([expect.objectContaining({ enable: true, hooks: HOOKS })]);
  });

  it('asks for no certificate and no name where none is given', async () => {
    await install(HTTPS, { ca: CA });
    expect(Object.keys(ssl())).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(certfile|keyfile|server)/)]),
    );
  });

  it('has nothing to do a second time, with the files or without', async () => {
    await install(HTTPS, TLS);
    expect(await plan(HTTPS, TLS)).toEqual({ steps: [], left: [] });
    expect(await plan()).toEqual({ steps: [], left: [] });
  });

  it('knows the file names of EMQX 5.0 too', async () => {
    await install(HTTPS, { ca: CA });
    emqx.exHooks[0] = {
      ...emqx.exHooks[0],
      ssl: { ...ssl(), cacertfile: '/certs/exhook/tightbeam/cacert-f1ae620b9a7bac34' },
    };
    expect(await plan(HTTPS, { ca: CA })).toEqual({ steps: [], left: [] });
  });

  it('changes only what is given, and keeps what was tuned', async () => {
    await install(HTTPS, TLS);
    emqx.exHooks[0] = { ...emqx.exHooks[0], ssl: { ...ssl(), depth: 3 } };
    const before = ssl();
    await install(undefined, { ca: pem('CERTIFICATE', 'renewed') });
    expect(ssl()).toEqual({ ...before, cacertfile: expect.not.stringMatching(String(before['cacertfile'])) });
  });

  it('shows every change, and never a key', async () => {
    const [register] = (await plan(HTTPS, TLS)).steps;
    expect(register?.detail).toEqual(
      expect.arrayContaining(['ssl.enable: not set -> true', 'ssl.keyfile: not set -> "(PEM)"']),
    );
    await install(HTTPS, TLS);
    const other = { ...CLIENT, key: pem('PRIVATE KEY', 'hunter3') };
    const [change] = (await plan(HTTPS, { ...TLS, client: other })).steps;
    expect(change?.detail).toEqual([expect.stringMatching(/^ssl\.keyfile: ".*\/key-[0-9A-F]{16}" -> "\(PEM\)"$/)]);
    expect(JSON.stringify([register, change])).not.toMatch(/hunter/);
  });

  it('changes from clear text to TLS, and needs to know the authorities for it', async () => {
    await install('http://service:9000');
    await expect(plan(HTTPS)).rejects.toThrow('https://service:9000 needs --exhook-ca');
    await install(HTTPS, { ca: CA });
    expect(ssl()).toMatchObject({ enable: true, verify: 'verify_peer' });
  });

  it('leaves a registration without a check as an engineer made it, and mends it with --exhook-ca', async () => {
    await install(HTTPS, { ca: CA });
    emqx.exHooks[0] = { ...emqx.exHooks[0], ssl: { enable: true, verify: 'verify_none' } };
    expect((await plan()).steps).toEqual([]);
    await install(undefined, { ca: CA });
    expect(ssl()).toMatchObject({ verify: 'verify_peer' });
  });

  it('refuses certificates for a service in clear text', async () => {
    await expect(plan(undefined, { ca: CA })).rejects.toThrow(
      /EMQX calls http:\/\/127\.0\.0\.1:9000: give --exhook-url/,
    );
  });

  it('says whose log tells why EMQX does not reach the service', async () => {
    emqx.reachable = false;
    await expect(install(HTTPS, TLS)).rejects.toThrow(/EMQX's log says .* the service's where/);
    expect(emqx.changes).toEqual(['POST /exhooks', 'PUT /exhooks/tightbeam']);
  });
});
