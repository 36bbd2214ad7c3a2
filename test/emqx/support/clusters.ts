import { getContainerRuntimeClient, Network, type StartedTestContainer } from 'testcontainers';
import { until } from './bench.js';
import { byCommand, type Emqx, fromEnvironment, hasDocker, type Peer, startContainer, type Target } from './targets.js';

/** The last release that forms a cluster without a licence key. */
const VERSION = '5.8.9';

/**
 * Clusters of two nodes on which the suite can run: the one that the environment names, else containers, else none. Where
 * the environment names a single node there is none, for it is that node that shall be tried.
 */
export function clusters(): readonly Target[] {
  const first = fromEnvironment();
  if (first === undefined) return hasDocker() ? [inContainers()] : [];
  const mqttUrl = process.env['TIGHTBEAM_EMQX_PEER_MQTT_URL'];
  return mqttUrl === undefined ? [] : [named(first, mqttUrl)];
}

function named(first: Target, mqttUrl: string): Target {
  const [kill, start] = [byCommand('TIGHTBEAM_EMQX_PEER_KILL'), byCommand('TIGHTBEAM_EMQX_PEER_START')];
  const canKillPeer = kill !== undefined && start !== undefined;
  const peer: Peer = { mqttUrl, ...(canKillPeer && { kill, start }) };
  return {
    ...first,
    name: `${first.name} and ${mqttUrl}`,
    canKillPeer,
    start: async () => ({ ...(await first.start()), peer }),
  };
}

function inContainers(): Target {
  return {
    name: `EMQX ${VERSION} in two containers`,
    canRestart: true,
    canKillPeer: true,
    isLocal: false,
    start: async () => {
      const network = await new Network().start();
      const node = (host: string) =>
        startContainer(VERSION, (container) =>
          container
            .withNetwork(network)
            // Erlang's long names need a dot.
            .withNetworkAliases(host)
            .withHostname(host)
            .withEnvironment({ EMQX_NODE__NAME: `emqx@${host}`, EMQX_NODE__COOKIE: 'of-the-suite' }),
        );
      const [first, second] = await Promise.all([node('node1.emqx'), node('node2.emqx')]);
      const { exitCode, output } = await second.container.exec(['emqx', 'ctl', 'cluster', 'join', 'emqx@node1.emqx']);
      if (exitCode !== 0) throw new Error(`the nodes did not join: ${output}`);
      return {
        ...first.emqx,
        peer: asPeer(second.emqx, second.container),
        close: async () => {
          await Promise.all([first.emqx.close(), second.emqx.close()]);
          await network.stop();
        },
      };
    },
  };
}

function asPeer({ mqttUrl, apiUrl }: Emqx, started: StartedTestContainer): Peer {
  // `stop` of testcontainers lets EMQX say farewell, and removes the container with its data.
  const container = async () => (await getContainerRuntimeClient()).container.getById(started.getId());
  return {
    mqttUrl,
    kill: async () => {
      await (await container()).kill();
    },
    start: async () => {
      await (await container()).start();
      await until(async () => (await fetch(`${apiUrl}/status`).catch(() => undefined))?.ok === true, 180_000);
    },
  };
}
