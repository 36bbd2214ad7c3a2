import { getContainerRuntimeClient, Network, type StartedTestContainer } from 'testcontainers';
import { until } from './bench.js';
import { named } from './named.js';
import { type Emqx, hasDocker, type Peer, startContainer, type Target } from './targets.js';

/** The last release that forms a cluster without a licence key. */
const VERSION = '5.8.9';

/**
 * Clusters of two nodes on which the suite can run: those that the environment names, else containers, else none. Where
 * the environment names single nodes they are here too, and are none, so that the summary says what was not tried on them.
 */
export function clusters(): readonly Target[] {
  const given = named();
  if (given.length > 0) return given;
  return hasDocker() ? [inContainers()] : [];
}

function inContainers(): Target {
  return {
    name: `EMQX ${VERSION} in two containers`,
    version: VERSION,
    canRestart: true,
    canCtl: true,
    isCluster: true,
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
