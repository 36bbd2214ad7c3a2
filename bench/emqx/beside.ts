import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Ports } from '../../src/app.js';
import { EmqxApi } from '../../src/brokers/emqx/api.js';
import { EmqxRest } from '../../src/brokers/emqx/rest.js';
import { settingsOf } from '../../src/brokers/emqx/install/plan-exhook.js';
import { carryOut, planInstall } from '../../src/brokers/emqx/install/install.js';
import { NAME, readState } from '../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../src/brokers/emqx/install/uninstall.js';
import { VERSION } from '../../src/version.js';
import { forkServer } from '../rig/fork-server.js';
import type { Setting } from '../rig/setting.js';
import type { Wish } from './server.js';

/** The plugin package, as `npm run build:plugin` makes it. */
const PACKAGE = join(import.meta.dirname, '../../emqx-plugin/build', `tightbeam-${VERSION}.tar.gz`);

const NAME_VERSION = `${NAME}-${VERSION}`;

/** The EMQX of the environment; it must run on this machine, for the figures compare processes and not networks. */
export interface Broker {
  readonly mqttPort: number;
  readonly apiUrl: string;
  readonly key: string;
  readonly secret: string;
  readonly exHookHost: string;
  /** Where EMQX looks for plugin packages. */
  readonly pluginsFolder: string;
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
    pluginsFolder: need('TIGHTBEAM_EMQX_PLUGINS_DIR'),
  };
}

/** Replicas of the service, each in a process of its own, and EMQX with or without Tightbeam. */
export class Beside {
  readonly #broker: Broker;
  readonly #api: EmqxApi;
  readonly #username: string;
  readonly #replicas: readonly ChildProcess[];
  readonly ports: readonly Ports[];

  private constructor(broker: Broker, { serviceUser }: Setting, replicas: readonly ChildProcess[], ports: Ports[]) {
    this.#broker = broker;
    this.#api = new EmqxApi(new EmqxRest({ url: broker.apiUrl, key: broker.key, secret: broker.secret }));
    this.#username = serviceUser.username;
    this.#replicas = replicas;
    this.ports = ports;
  }

  /** @throws Error where a replica cannot be had. */
  static async start(broker: Broker, setting: Setting, replicas: number): Promise<Beside> {
    const args = [JSON.stringify({ ...setting, devices: [] }), `mqtt://127.0.0.1:${broker.mqttPort}`];
    const servers = Array.from({ length: replicas }, () => forkServer('emqx', args));
    const ports = await Promise.all(servers.map((server) => answerOf<Ports>(server)));
    return new Beside(broker, setting, servers, ports);
  }

  /** @throws Error where something is left to do, or EMQX refuses. */
  async install(): Promise<void> {
    const { exHookHost, pluginsFolder } = this.#broker;
    copyFileSync(PACKAGE, join(pluginsFolder, basename(PACKAGE)));
    const { left } = await carryOut(
      this.#api,
      planInstall(await readState(this.#api), {
        username: this.#username,
        exclusive: true,
        // A replica like any other may answer; in production a load balancer chooses.
        exHookUrl: `http://${exHookHost}:${this.ports[0]?.exhook ?? 0}`,
        plugin: { version: VERSION, upgrade: false },
      }),
    );
    if (left.length > 0) throw new Error(left.join(' '));
    for (const server of this.#replicas) while (!(await isReady(server))) await sleep(100);
  }

  get pids(): readonly number[] {
    return this.#replicas.map(({ pid }) => pid ?? 0);
  }

  /** Has every replica log this from now on, and be so slow at it. */
  async configure({ spinMicros, ...log }: NonNullable<Wish['log']> & Pick<Wish, 'spinMicros'>): Promise<void> {
    for (const server of this.#replicas) {
      server.send({ log, ...(spinMicros !== undefined && { spinMicros }) } satisfies Wish);
      await answerOf(server);
    }
  }

  /** What the first replica has counted: message events in its log, events lost, and messages in and out of the broker. */
  async told(): Promise<{ readonly events: number; readonly missed: number; readonly happened: number }> {
    const response = await fetch(`http://127.0.0.1:${this.ports[0]?.metrics ?? 0}/metrics`);
    const samples = (await response.text()).split('\n');
    const sum = (name: string, label: RegExp): number =>
      samples
        .filter((sample) => sample.startsWith(`${name}{`) && label.test(sample))
        .reduce((total, sample) => total + Number(sample.split(' ')[1]), 0);
    return {
      events: sum('tightbeam_client_events_total', /event="Publish-(In|Out)"/),
      missed: sum('tightbeam_events_missed_total', /./),
      happened: sum('tightbeam_messages_total', /direction="(in|out)"/),
    };
  }

  /** EMQX as with an older plugin: the service is told by hook calls. */
  async stopPlugin(): Promise<void> {
    await this.#api.stopPlugin(NAME_VERSION);
    // A node that has asked is known to tell for half a minute.
    await sleep(31_000);
    await this.#reloadHooks();
  }

  async startPlugin(): Promise<void> {
    await this.#api.startPlugin(NAME_VERSION);
    await sleep(1_000);
    await this.#reloadHooks();
  }

  async #reloadHooks(): Promise<void> {
    const server = (await this.#api.exHooks()).find(({ name }) => name === NAME);
    if (server !== undefined) await this.#api.changeExHook(settingsOf(server));
  }

  async uninstall(): Promise<void> {
    await carryOut(this.#api, planUninstall(await readState(this.#api)));
  }

  /** Leaves EMQX without Tightbeam, and ends the service. */
  async stop(): Promise<void> {
    await this.uninstall();
    for (const server of this.#replicas) {
      server.disconnect();
      await once(server, 'exit');
    }
  }
}

async function answerOf<T>(server: ChildProcess): Promise<T> {
  const [answer] = (await once(server, 'message')) as [T];
  return answer;
}

function isReady(server: ChildProcess): Promise<boolean> {
  server.send('ready');
  return answerOf(server);
}
