import type { EmqxApi, Node, Plugin } from '../api.js';
import { EmqxApiError } from '../rest.js';
import { InstallError, type Plan, type Step } from './plan.js';
import { type EmqxState, NAME, nameVersion, nodesLacking, nodesWithout } from './state.js';

/** A plugin package: `tightbeam-VERSION.tar.gz`. */
export interface PluginPackage {
  readonly version: string;
  readonly content: Uint8Array<ArrayBuffer>;
}

export interface PluginOptions {
  /** The package to install; absent where it lies in EMQX's plugins folder, or the plugin is installed. */
  readonly package?: PluginPackage;
  /** Version that goes with this release, tried where no package is given and none is installed. */
  readonly version: string;
  /** Replace an installed plugin of another version. */
  readonly upgrade: boolean;
}

/** @throws InstallError where the file name is not that of a package. */
export function packageVersion(fileName: string): string {
  const version = new RegExp(`^${NAME}-(.+)\\.tar\\.gz$`).exec(fileName)?.[1];
  if (version === undefined) throw new InstallError(`${fileName} is not named ${NAME}-VERSION.tar.gz`);
  return version;
}

/** Installs and starts the plugin. */
export function planPlugin(state: EmqxState, options: PluginOptions): Plan {
  const [installed] = state.plugins;
  const given = options.package;
  if (installed === undefined) {
    return given === undefined ? planStartFromFolder(options.version) : planUpload(given);
  }
  if (given !== undefined && given.version !== installed.rel_vsn) {
    if (options.upgrade) return planUpgrade(installed, state.nodes, given);
    const left =
      `The plugin ${nameVersion(installed)} is installed; ${NAME}-${given.version} was given. To replace it, run ` +
      `\`emqx ctl plugins allow ${NAME}-${given.version}\` on one node (EMQX 5.8.9 and later), then this with --upgrade. ` +
      'Senders get 0x10 or 503 for the seconds between.';
    return { steps: [], left: [left] };
  }
  const name = nameVersion(installed);
  const left =
    options.upgrade && given === undefined && installed.rel_vsn !== options.version
      ? [
          `The plugin ${name} was not replaced, for --upgrade needs the package of the new one: ` +
            `--plugin ${NAME}-${options.version}.tar.gz.`,
        ]
      : [];
  if (nodesWithout(installed, state.nodes).length === 0) return { steps: [], left };
  return {
    steps: [{ what: `start the plugin ${name}`, apply: (api) => start(api, name) }],
    left,
  };
}

function planStartFromFolder(version: string): Plan {
  const name = `${NAME}-${version}`;
  return {
    steps: [
      {
        what: `start the plugin ${name}, if its package lies in EMQX's plugins folder`,
        async apply(api) {
          try {
            await api.startPlugin(name);
          } catch (error) {
            // Versions differ in how they say that there is no such package; that the plugin is not listed says it too.
            if (!(error instanceof EmqxApiError) || error.status === undefined) throw error;
          }
          return (await isInstalled(api, version))
            ? running(api, name)
            : `The plugin is not installed: give its package with --plugin ${name}.tar.gz, or copy that file into the ` +
                'plugins folder of one EMQX node, and run this again.';
        },
      },
    ],
    left: [],
  };
}

function planUpload(given: PluginPackage): Plan {
  const name = `${NAME}-${given.version}`;
  return {
    steps: [{ what: `upload and start the plugin ${name}`, apply: (api) => upload(api, given) }],
    left: [],
  };
}

function planUpgrade(before: Plugin, nodes: readonly Node[], given: PluginPackage): Plan {
  return {
    steps: [
      removal(before, nodes),
      { what: `upload and start the plugin ${NAME}-${given.version}`, apply: (api) => upload(api, given) },
    ],
    left: [],
  };
}

/**
 * Removes a plugin from all nodes. EMQX does that node by node, and one that lacks the plugin fails and from then on takes
 * no change of any configuration from the cluster: so every node is given it first.
 *
 * @throws InstallError where a node could not be given it; nothing is removed then.
 */
export function removal(plugin: Plugin, nodes: readonly Node[]): Step {
  const name = nameVersion(plugin);
  const lacking = nodesLacking(plugin, nodes);
  return {
    what: `remove the plugin ${name}`,
    detail: lacking.map((node) => `it is brought to ${node} first, for EMQX removes it from all nodes or from none`),
    async apply(api) {
      if (lacking.length > 0) {
        await api.startPlugin(name);
        const now = (await api.plugins()).find((candidate) => nameVersion(candidate) === name);
        const still = now === undefined ? lacking : nodesLacking(now, nodes);
        if (still.length > 0) {
          throw new InstallError(
            `The plugin ${name} is not on ${still.join(', ')} and could not be brought there, so EMQX cannot remove it. ` +
              `On each node that has it, run \`emqx ctl plugins\` with stop, disable and uninstall ${name}.`,
          );
        }
      }
      await api.removePlugin(name);
      return undefined;
    },
  };
}

async function upload(api: EmqxApi, given: PluginPackage): Promise<string | undefined> {
  const name = `${NAME}-${given.version}`;
  try {
    await api.uploadPlugin(`${name}.tar.gz`, given.content);
  } catch (error) {
    if (!(error instanceof EmqxApiError) || error.status !== 403) throw error;
    return (
      `EMQX installs no plugin over its API before its administrator has allowed it. Run \`emqx ctl plugins allow ` +
      `${name}\` on one node, then this again within 5 minutes. Until then nothing is delivered and no guard is up.`
    );
  }
  return start(api, name);
}

async function start(api: EmqxApi, name: string): Promise<string | undefined> {
  await api.startPlugin(name);
  return running(api, name);
}

/** EMQX answers a start with success whatever came of it, so look. */
async function running(api: EmqxApi, name: string): Promise<string | undefined> {
  const [nodes, plugins] = [await api.nodes(), await api.plugins()];
  const plugin = plugins.find((candidate) => nameVersion(candidate) === name);
  const without = plugin === undefined ? nodes.map(({ node }) => node) : nodesWithout(plugin, nodes);
  if (without.length === 0) return undefined;
  return `The plugin ${name} does not run on ${without.join(', ')}. EMQX's log says why (failed_to_start_plugin).`;
}

async function isInstalled(api: EmqxApi, version: string): Promise<boolean> {
  return (await api.plugins()).some(({ name, rel_vsn }) => name === NAME && rel_vsn === version);
}
