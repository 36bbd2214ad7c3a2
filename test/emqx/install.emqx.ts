import { expect, test } from '@jest/globals';
import { diagnose } from '../../src/brokers/emqx/install/doctor.js';
import { planInstall } from '../../src/brokers/emqx/install/install.js';
import { readState } from '../../src/brokers/emqx/install/state.js';
import { VERSION } from '../../src/version.js';
import { type Bench, ready, SERVICE } from './support/bench.js';
import { onEmqx, testIf } from './support/suite.js';

onEmqx('Installation', (bench, { canCtl }) => {
  const doctor = ({ api, emqx }: Bench) =>
    diagnose(api, { version: VERSION, broker: { urls: [emqx.mqttUrl], ...SERVICE }, probeTimeoutMs: 2_000 });
  // A container reaches the service over a network, in clear text: that is worth a warning, and wanted here.
  const problems = async () =>
    (await doctor(bench())).filter(({ status, message }) => status !== 'ok' && !message.includes('in clear text'));
  const configuration = async () => {
    const { exHooks, settings, sources, plugins } = await readState(bench().api);
    return {
      exHooks: exHooks.map(({ name }) => name),
      settings,
      sources,
      plugins: plugins.map(({ rel_vsn }) => rel_vsn),
    };
  };

  test('the doctor finds nothing to mend', async () => {
    expect(await problems()).toEqual([]);
  });

  test("EMQX's own metrics are there, and those of the plugin with them", async () => {
    const { apiUrl, apiKey, apiSecret } = bench().emqx;
    const answer = await fetch(`${apiUrl}/api/v5/prometheus/stats`, {
      headers: { authorization: `Basic ${Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')}` },
    });
    expect(answer.status).toBe(200);
    const text = await answer.text();
    expect(text).toMatch(/^emqx_connections_count/m);
    expect(text).toMatch(/tightbeam/);
  });

  testIf(canCtl, 'no command for emqx ctl')('emqx ctl tells the status of the plugin', async () => {
    const status = await bench().emqx.ctl?.('tightbeam', 'status');
    expect(status).toMatch(new RegExp(`version +: ${VERSION}`));
    expect(status).toMatch(/hooks +: loaded/);
    expect(status).toMatch(/unreadable +: 0$/m);
  });

  test('a second installation has nothing to do', async () => {
    const { api, exHookUrl } = bench();
    const options = {
      username: SERVICE.username,
      exclusive: true,
      exHookUrl,
      plugin: { version: VERSION, upgrade: false },
    };
    expect(planInstall(await readState(api), options)).toEqual({ steps: [], left: [] });
  });

  test('uninstalling and installing again ends where it was', async () => {
    const installed = await configuration();
    await bench().uninstall();
    const bare = await configuration();
    expect(bare.exHooks).toEqual([]);
    expect(bare.plugins).toEqual([]);
    expect(JSON.stringify(bare.sources)).not.toContain('tightbeam');

    await bench().emqx.placePlugin();
    expect(await bench().install()).toEqual([]);
    expect(await configuration()).toEqual(installed);
    await ready(bench());
    await bench().uninstall();
    expect(await configuration()).toEqual(bare);
    await bench().emqx.placePlugin();
    await bench().install();
    await ready(bench());
  });

  test('the doctor says that the plugin was stopped, and that it runs again', async () => {
    const { api } = bench();
    await api.stopPlugin(`tightbeam-${VERSION}`);
    const found = await problems();
    expect(found).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          check: 'plugin',
          status: 'fail',
          message: expect.stringContaining('does not run on'),
        }),
        expect.objectContaining({ check: 'probe', status: 'fail', message: expect.stringContaining('0x10') }),
      ]),
    );
    expect(await bench().install()).toEqual([]);
    expect(await problems()).toEqual([]);
    await ready(bench());
  });
});
