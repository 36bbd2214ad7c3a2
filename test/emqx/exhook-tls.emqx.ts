import { afterAll, expect, test } from '@jest/globals';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { diagnose } from '../../src/brokers/emqx/install/doctor.js';
import type { ExHookTls } from '../../src/brokers/emqx/install/exhook-tls.js';
import { carryOut, planInstall } from '../../src/brokers/emqx/install/install.js';
import { readState } from '../../src/brokers/emqx/install/state.js';
import { VERSION } from '../../src/version.js';
import { Authority, opensslAvailable } from '../http/pki.js';
import { ready, SERVICE, until } from './support/bench.js';
import { onceReceived } from './support/clients.js';
import { onEmqx } from './support/suite.js';

/** The service's certificate has this name and not the address, as behind a load balancer. */
const SERVER_NAME = 'tightbeam.internal';

/** Files of the service, and what EMQX is given, in PEM. */
function makeCertificates(folder: string) {
  const authority = new Authority(folder, 'ca');
  const service = { ...authority.issue('/CN=tightbeam', 1, `DNS:${SERVER_NAME}`), clientCa: authority.certFile };
  const client = authority.issue('/CN=emqx');
  const emqx = {
    ca: readFileSync(authority.certFile, 'utf8'),
    client: { cert: readFileSync(client.cert, 'utf8'), key: readFileSync(client.key, 'utf8') },
    serverName: SERVER_NAME,
  } satisfies ExHookTls;
  return { service, emqx };
}

if (opensslAvailable) {
  // Of each EMQX its own.
  let folder: string;
  let certificates: ReturnType<typeof makeCertificates>;

  onEmqx(
    'ExHook over mutual TLS',
    (bench) => {
      afterAll(() => {
        rmSync(folder, { recursive: true });
      });

      const install = async (exHookTls: ExHookTls) => {
        const { api, exHookUrl } = bench();
        const plugin = { version: VERSION, upgrade: false };
        const options = { username: SERVICE.username, exclusive: true, exHookUrl, reachWithinMs: 2_000, plugin };
        return planInstall(await readState(api), { ...options, exHookTls });
      };
      const deliver = async (clientId: string) => {
        const device = await bench().connect(clientId);
        const received = onceReceived(device);
        expect(await bench().send(clientId)).toEqual({ status: 200 });
        expect((await received).payload.toString()).toBe('hello');
      };

      test('a device is admitted, and gets its direct message', async () => {
        await deliver('over-tls');
      });

      test('the doctor finds nothing to mend', async () => {
        const { api, emqx } = bench();
        const broker = { urls: [emqx.mqttUrl], ...SERVICE };
        const diagnoses = await diagnose(api, { version: VERSION, broker, probeTimeoutMs: 2_000 });
        expect(diagnoses.filter(({ status }) => status !== 'ok')).toEqual([]);
        expect(diagnoses.find(({ check }) => check === 'exhook')?.message).toContain('over mutual TLS');
      });

      test('a second installation with the same files has nothing to do', async () => {
        expect(await install(certificates.emqx)).toEqual({ steps: [], left: [] });
        expect(await install({})).toEqual({ steps: [], left: [] });
      });

      test('EMQX calls no service whose certificate has another name, and the service answers no other EMQX', async () => {
        const { api } = bench();
        const wrongName = await install({ serverName: 'elsewhere.internal' });
        await expect(carryOut(api, wrongName)).rejects.toThrow(/does not reach the service/);
        const stranger = new Authority(folder, 'stranger').issue('/CN=emqx');
        const client = { cert: readFileSync(stranger.cert, 'utf8'), key: readFileSync(stranger.key, 'utf8') };
        const wrongClient = await install({ ...certificates.emqx, client });
        await expect(carryOut(api, wrongClient)).rejects.toThrow(/does not reach the service/);
        await bench().nextLine(({ error }) => String(error).startsWith('its certificate: '));

        await carryOut(api, await install(certificates.emqx));
        await ready(bench());
        await deliver('after-strangers');
      });

      test('authorities come without a break, and where one goes EMQX connects again by itself', async () => {
        const { clientCa } = certificates.service;
        const before = readFileSync(clientCa);
        const reloads = () =>
          bench().log.filter(({ msg }) => msg === 'The TLS files of the hook provider were reloaded.').length;
        appendFileSync(clientCa, readFileSync(new Authority(folder, 'additional').certFile));
        await until(() => reloads() === 1);
        await deliver('after-one-came');

        writeFileSync(clientCa, before);
        await until(() => reloads() === 2);
        // Who asked while the connections ended is refused after request_timeout, and comes again.
        await until(() =>
          bench()
            .connect('after-one-went')
            .then(
              () => true,
              () => false,
            ),
        );
        await deliver('after-that');
      });

      test('uninstalled, nothing of it is left', async () => {
        await bench().uninstall();
        expect((await readState(bench().api)).exHooks).toEqual([]);
      });
    },
    () => {
      folder = mkdtempSync(join(tmpdir(), 'tightbeam-emqx-tls-'));
      certificates = makeCertificates(folder);
      return { exHookTls: certificates };
    },
  );
}
