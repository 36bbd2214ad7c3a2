import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../../src/app.js';
import { EmqxApi } from '../../src/brokers/emqx/api.js';
import { EmqxRest } from '../../src/brokers/emqx/rest.js';
import { carryOut, planInstall } from '../../src/brokers/emqx/install/install.js';
import { readState } from '../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../src/brokers/emqx/install/uninstall.js';
import { VERSION } from '../../src/version.js';
import { forkServer } from '../rig/fork-server.js';
import type { Setting } from '../rig/setting.js';

/** The EMQX of the environment; it must run on this machine, for the figures compare processes and not networks. */
export interface Broker {
  readonly mqttPort: number;
  readonly apiUrl: string;
  readonly key: string;
  readonly secret: string;
  readonly exHookHost: string;
}

/** @throws Error that says which variable is missing. */
export function brokerOfEnvironment(env: NodeJS.ProcessEnv = process.env): Broker {
  const need = (name: string): string => {
    const value = env[name];
    if (value === undefined || value === '') throw new Error(`${name} must name an EMQX on this machine`);
    return value;
  };
  const mqtt = new URL(need('TIGHTBEAM_EMQX_MQTT_URL'));
  return {
    mqttPort: Number(mqtt.port === '' ? 1883 : mqtt.port),
    apiUrl: need('TIGHTBEAM_EMQX_API_URL'),
    key: need('TIGHTBEAM_EMQX_API_KEY'),
    secret: need('TIGHTBEAM_EMQX_API_SECRET'),
    exHookHost: env['TIGHTBEAM_EXHOOK_HOST'] ?? '127.0.0.1',
  };
}

async function isReady(server: ChildProcess): Promise<boolean> {
  server.send('ready');
  const [ready] = (await once(server, 'message')) as [boolean];
  return ready;
}

/** The service in a process of its own, and Tightbeam installed in EMQX. */
export interface Beside {
  readonly ports: Ports;
  /** Ends the service and leaves EMQX as it was. */
  stop(): Promise<void>;
}

/** @throws Error where EMQX or the service cannot be had; the plugin package must lie in EMQX's plugins folder. */
export async function startBeside(broker: Broker, setting: Setting): Promise<Beside> {
  const api = new EmqxApi(new EmqxRest({ url: broker.apiUrl, key: broker.key, secret: broker.secret }));
  const server = forkServer('emqx', [
    JSON.stringify({ ...setting, devices: [] }),
    `mqtt://127.0.0.1:${broker.mqttPort}`,
  ]);
  const [ports] = (await once(server, 'message')) as [Ports];
  const uninstall = async (): Promise<void> => {
    await carryOut(api, planUninstall(await readState(api)));
  };
  const stop = async (): Promise<void> => {
    await uninstall();
    server.disconnect();
    await once(server, 'exit');
  };
  try {
    const { left } = await carryOut(
      api,
      planInstall(await readState(api), {
        username: setting.serviceUser.username,
        exclusive: true,
        exHookUrl: `http://${broker.exHookHost}:${ports.exhook}`,
        plugin: { version: VERSION, upgrade: false },
      }),
    );
    if (left.length > 0) throw new Error(left.join(' '));
    while (!(await isReady(server))) await sleep(100);
  } catch (error) {
    await stop();
    throw error;
  }
  return { ports, stop };
}
