import { spawnSync } from 'node:child_process';
import { basename } from 'node:path';
import { GenericContainer, type StartedTestContainer, Wait } from 'testcontainers';
import { named } from './named.js';
import { PACKAGE, packageFile } from './package.js';
import { freePort } from '../../free-port.js';

/** An EMQX that the suite runs against. */
export interface Emqx {
  readonly mqttUrl: string;
  readonly apiUrl: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** Address under which EMQX reaches what the suite listens on. */
  readonly exHookHost: string;
  /** Puts the plugin package where EMQX finds it. */
  placePlugin(): Promise<void>;
  /** Restarts the broker, its data kept; absent where the suite cannot. */
  readonly restart?: () => Promise<void>;
  /** What `emqx ctl ARGUMENTS` prints; absent where the suite cannot run it. */
  readonly ctl?: (...args: readonly string[]) => Promise<string>;
  /** The second node, where this is a cluster. */
  readonly peer?: Peer;
  close(): Promise<void>;
}

export interface Peer {
  readonly mqttUrl: string;
  /** Ends the node without a farewell, as a power failure does; absent where the suite cannot. */
  readonly kill?: () => Promise<void>;
  /** Starts it again, its data kept; returns when it accepts clients. */
  readonly start?: () => Promise<void>;
}

export interface Target {
  /** One name for one EMQX: by it the summary counts. */
  readonly name: string;
  /** The version that EMQX must have, where it was named. */
  readonly version?: string;
  /** Whether `restart` is there. */
  readonly canRestart: boolean;
  /** Whether `ctl` is there. */
  readonly canCtl: boolean;
  /** Whether `peer` is there. */
  readonly isCluster: boolean;
  /** Whether `kill` and `start` of the second node are there. */
  readonly canKillPeer: boolean;
  /** Whether every port of the broker can be reached, and not just those that a container publishes. */
  readonly isLocal: boolean;
  start(): Promise<Emqx>;
}

/** Versions that are tried where there is a Docker engine. */
const VERSIONS = ['5.8.9', '6.0.1'];
const API_KEY = 'tightbeam';
const API_SECRET = 'tightbeam-secret';

/** Where the suite can run: those that the environment names, else containers, else nowhere. */
export function targets(): readonly Target[] {
  const given = named();
  if (given.length > 0) return given;
  return hasDocker() ? VERSIONS.map(inContainer) : [];
}

export function hasDocker(): boolean {
  return spawnSync('docker', ['info'], { stdio: 'ignore', timeout: 10_000 }).status === 0;
}

function inContainer(emqxVersion: string): Target {
  return {
    name: `EMQX ${emqxVersion} in a container`,
    version: emqxVersion,
    canRestart: true,
    canCtl: true,
    isCluster: false,
    canKillPeer: false,
    isLocal: false,
    start: async () => (await startContainer(emqxVersion)).emqx,
  };
}

/** Publishes its ports on the loopback address only: everybody knows the key of its API. */
class LocalContainer extends GenericContainer {
  protected override beforeContainerCreated(): Promise<void> {
    const bindings = Object.values((this.hostConfig.PortBindings ?? {}) as Record<string, { HostIp?: string }[]>);
    for (const binding of bindings.flat()) binding.HostIp = '127.0.0.1';
    return Promise.resolve();
  }
}

/** One node; `arrange` adds what a node of a cluster needs. */
export async function startContainer(
  emqxVersion: string,
  arrange: (container: GenericContainer) => GenericContainer = (container) => container,
): Promise<{ readonly emqx: Emqx; readonly container: StartedTestContainer }> {
  const [mqtt, api] = [await freePort(), await freePort()];
  const container = await arrange(new LocalContainer(`emqx/emqx:${emqxVersion}`))
    // Ports of the host that stay the same over a restart.
    .withExposedPorts({ container: 1883, host: mqtt }, { container: 18083, host: api })
    .withExtraHosts([{ host: 'host.docker.internal', ipAddress: 'host-gateway' }])
    .withCopyContentToContainer([
      { content: `${API_KEY}:${API_SECRET}:administrator\n`, target: '/opt/emqx/etc/api-keys' },
    ])
    .withEnvironment({ EMQX_API_KEY__BOOTSTRAP_FILE: '/opt/emqx/etc/api-keys' })
    .withWaitStrategy(Wait.forHttp('/status', 18083))
    .withStartupTimeout(180_000)
    .start();
  const emqx: Emqx = {
    mqttUrl: `mqtt://${container.getHost()}:${mqtt}`,
    apiUrl: `http://${container.getHost()}:${api}`,
    apiKey: API_KEY,
    apiSecret: API_SECRET,
    exHookHost: 'host.docker.internal',
    // Each time anew: EMQX deletes the package with the plugin.
    placePlugin: () =>
      // Copied files belong to root, and EMQX's user writes to the package when it takes it.
      container.copyFilesToContainer([
        { source: packageFile(), target: `/opt/emqx/plugins/${basename(PACKAGE)}`, mode: 0o666 },
      ]),
    restart: () => container.restart(),
    ctl: async (...args) => (await container.exec(['emqx', 'ctl', ...args])).output,
    close: async () => {
      await container.stop();
    },
  };
  return { emqx, container };
}
