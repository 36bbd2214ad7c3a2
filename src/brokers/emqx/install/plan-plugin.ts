import type { EmqxApi, Node, Plugin } from '../api.js';
import { EmqxApiError } from '../rest.js';
import { InstallError, type Plan, type Step } from './plan.js';
import { type EmqxState, NAME, nameVersion, nodesLacking, nodesWithout } from './state.js';
import { allowCommand, upload } from './upload.js';

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
  /** How long to wait for EMQX's administrator to allow the package, in milliseconds; default 10 minutes. */
  readonly allowWithinMs?: number;
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
    return given === undefined ? planStartFromFolder(options.version) : planUpload(given, state.nodes, options);
  }
  if (given !== undefined && given.version !== installed.rel_vsn) {
    if (options.upgrade) return planUpgrade(installed, state.nodes, given, options);
    const left =
      `The plugin ${nameVersion(installed)} is installed; ${NAME}-${given.version} was given. To replace it, run this ` +
      `with --upgrade, and beside it \`${allowCommand(given, state.nodes)}\` on one node (EMQX 5.8.9 and later), before ` +
      'or while it waits. Senders get 0x10 or 503 from then until the new one runs.';
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

function planUpload(given: PluginPackage, nodes: readonly Node[], { allowWithinMs }: PluginOptions): Plan {
  const name = `${NAME}-${given.version}`;
  return {
    steps: [
      {
        what: `upload and start the plugin ${name}`,
        apply: async (api, audience) =>
          (await upload(api, given, nodes, audience, allowWithinMs)) ?? (await start(api, name)),
      },
    ],
    left: [],
  };
}

/**
 * Replaces a version by another. The upload comes first, so that the old version works while EMQX's administrator is waited
 * for; but EMQX up to 5.8 takes no second version beside the first, and asks for its leave only without one.
 */
function planUpgrade(before: Plugin, nodes: readonly Node[], given: PluginPackage, options: PluginOptions): Plan {
  const name = `${NAME}-${given.version}`;
  const remove = removal(before, nodes);
  return {
    steps: [
      {
        what: `upload the plugin ${name}, and start it in the place of ${before.rel_vsn}`,
        ...(remove.detail && { detail: remove.detail }),
        async apply(api, audience) {
          const taken = await unlessOneIsThere(upload(api, given, nodes, audience, options.allowWithinMs));
          if (taken.left !== undefined) return taken.left;
          await remove.apply(api, audience);
          const left = taken.oneIsThere ? await upload(api, given, nodes, audience, options.allowWithinMs) : undefined;
          return left ?? start(api, name);
        },
      },
    ],
    left: [],
  };
}

async function unlessOneIsThere(uploaded: Promise<string | undefined>) {
  try {
    return { oneIsThere: false, left: await uploaded };
  } catch (error) {
    if (error instanceof EmqxApiError && error.code === 'ALREADY_INSTALLED') return { oneIsThere: true };
    throw error;
  }
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
