import { afterEach, expect, test } from '@jest/globals';
import { VERSION } from '../../src/version.js';
import { Load } from './support/load.js';
import { ready, until } from './support/bench.js';
import { ServiceProcess } from './support/process.js';
import { onEmqx, testIf } from './support/suite.js';

const PLUGIN = `tightbeam-${VERSION}`;

onEmqx('Under load, when things break', (bench, { canRestart }) => {
  const alarm = async () => (await bench().api.alarms()).some(({ name }) => name === 'tightbeam_no_hook_provider');

  let load: Load | undefined;
  const startLoad = async () => (load = await Load.start(bench()));
  // A test that failed leaves its load behind.
  afterEach(async () => {
    await load?.stop();
    load = undefined;
  });

  /** Whether a client that the policies allow gets in. */
  const admitted = async (clientId: string) => {
    try {
      await (await bench().connect(clientId)).endAsync(true);
      return true;
    } catch {
      return false;
    }
  };

  test('a device that comes and goes, devices that never acknowledge: nothing is called delivered that was not', async () => {
    const load = await startLoad();
    await load.delivered(300);
    const { violations, statuses } = await load.stop();
    expect(violations).toEqual([]);
    expect(statuses).toMatchObject({ 200: expect.any(Number), 404: expect.any(Number), 504: expect.any(Number) });
  });

  test('the plugin is stopped and started again', async () => {
    const load = await startLoad();
    await load.delivered(100);
    await bench().api.stopPlugin(PLUGIN);
    try {
      await until(() => !bench().service.broker.ready);
      const during = await bench().send('load-1');
      expect(during).toEqual({ status: 503, exception: 'ServiceUnavailableException' });
      expect(bench().log).toContainEqual(expect.objectContaining({ reason: 'DELIVERY_PLUGIN_MISSING' }));
    } finally {
      await bench().api.startPlugin(PLUGIN);
    }
    await ready(bench());
    await load.delivered(100);
    const { violations, statuses } = await load.stop();
    expect(violations).toEqual([]);
    expect(statuses[503]).toBeGreaterThan(0);
  });

  test('the provider was never reached: the guard denies, raises an alarm, and lets go when the provider is there', async () => {
    const [server] = (await bench().api.exHooks()).filter(({ name }) => name === 'tightbeam');
    if (server === undefined) throw new Error('not registered');
    const { name, url, enable, failed_action, request_timeout, auto_reconnect, pool_size } = server;
    const settings = { name, enable, failed_action, request_timeout, auto_reconnect, pool_size };
    // As after a start of EMQX without the provider: registered, never loaded.
    await bench().api.changeExHook({ ...settings, url: url.replace(/:\d+$/, ':9') });
    try {
      expect(await admitted('faults-guarded')).toBe(false);
      await until(alarm);
    } finally {
      await bench().api.changeExHook({ ...settings, url });
    }
    await until(() => admitted('faults-guarded'));
  });

  test('the service is killed and started again', async () => {
    await bench().service.stop();
    const service = new ServiceProcess(bench().config);
    try {
      await service.start();
      const load = await startLoad();
      await load.delivered(100);
      await service.kill('SIGKILL');
      expect(await admitted('faults-killed')).toBe(false);
      await service.start();
      await load.delivered(100);
      const { violations, statuses } = await load.stop();
      expect(violations).toEqual([]);
      expect(statuses[200]).toBeGreaterThanOrEqual(200);
    } finally {
      await service.kill('SIGKILL');
      await bench().startService();
      await ready(bench());
    }
  });

  test('the service drains: SIGTERM answers what is in flight, and exits with 0', async () => {
    await bench().service.stop();
    const service = new ServiceProcess(bench().config);
    try {
      await service.start();
      await bench().connect('faults-mute', { customHandleAcks: () => undefined });
      const inFlight = bench().send('faults-mute', { timeout: 2 });
      await new Promise((resolve) => setTimeout(resolve, 300));
      const exited = service.kill('SIGTERM');
      expect(await inFlight).toEqual({ status: 504, exception: 'GatewayTimeoutException' });
      expect(await exited).toBe(0);
    } finally {
      await service.kill('SIGKILL');
      await bench().startService();
      await ready(bench());
    }
  });

  testIf(canRestart, 'no command that restarts it')('the broker restarts', async () => {
    const { restart } = bench().emqx;
    const load = await startLoad();
    await load.delivered(100);
    await restart?.();
    await ready(bench());
    await load.delivered(100);
    const { violations, statuses } = await load.stop();
    expect(violations).toEqual([]);
    expect(statuses[503]).toBeGreaterThan(0);
  });
});
