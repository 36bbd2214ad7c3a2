import type {
  Alarm,
  Authenticator,
  AuthorizationSettings,
  EmqxApi,
  ExHookServer,
  Listener,
  Node,
  Plugin,
  Source,
} from '../api.js';

/** Name of the ExHook server and of the plugin: by it both are known to be Tightbeam's. */
export const NAME = 'tightbeam';

/** What EMQX says about itself, as far as installing and diagnosing need it; one reading, so that checks agree. */
export interface EmqxState {
  readonly nodes: readonly Node[];
  /** In the order in which EMQX asks them. */
  readonly exHooks: readonly ExHookServer[];
  readonly settings: AuthorizationSettings;
  /** In the order in which EMQX asks them. */
  readonly sources: readonly Source[];
  readonly authenticators: readonly Authenticator[];
  readonly listeners: readonly Listener[];
  /** `mqtt.namespace_as_mountpoint`, which came with EMQX 6.1. */
  readonly namespaceAsMountpoint: boolean;
  /** Tightbeam's plugin, each installed version. */
  readonly plugins: readonly Plugin[];
  /** Configuration of the plugin; undefined where there is none. */
  readonly pluginConfig: Readonly<Record<string, unknown>> | undefined;
  readonly alarms: readonly Alarm[];
}

/** @throws EmqxApiError for the first call that fails. */
export async function readState(api: EmqxApi): Promise<EmqxState> {
  // The first call alone: a wrong address or key is then one error and not nine.
  const nodes = await api.nodes();
  const [exHooks, settings, sources, authenticators, listeners, zone, allPlugins, alarms] = await Promise.all([
    api.exHooks(),
    api.authorizationSettings(),
    api.sources(),
    api.authenticators(),
    api.listeners(),
    api.globalZone(),
    api.plugins(),
    api.alarms(),
  ]);
  const plugins = allPlugins.filter(({ name }) => name === NAME);
  const [plugin] = plugins;
  const pluginConfig = plugin === undefined ? undefined : await api.pluginConfig(nameVersion(plugin));
  return {
    nodes,
    exHooks,
    settings,
    sources,
    authenticators,
    listeners,
    namespaceAsMountpoint: zone.mqtt?.namespace_as_mountpoint === true,
    plugins,
    pluginConfig,
    alarms,
  };
}

/** Where EMQX puts something in front of clients' topics. */
export function mountpoints({ listeners, namespaceAsMountpoint }: EmqxState): readonly string[] {
  return [
    ...listeners
      .filter(({ enable, mountpoint = '' }) => enable !== false && mountpoint !== '')
      .map(({ id, mountpoint = '' }) => `listener ${id} (${mountpoint})`),
    ...(namespaceAsMountpoint ? ['namespaces (mqtt.namespace_as_mountpoint)'] : []),
  ];
}

/** The name by which EMQX knows one version of a plugin. */
export function nameVersion({ name, rel_vsn }: Pick<Plugin, 'name' | 'rel_vsn'>): string {
  return `${name}-${rel_vsn}`;
}

/** EMQX lists the nodes of its cluster that are down, too. */
export const isRunning = ({ node_status }: Node): boolean => node_status === 'running';

export function nodesDown(nodes: readonly Node[]): readonly string[] {
  return nodes.filter((node) => !isRunning(node)).map(({ node }) => node);
}

/** The nodes on which the plugin does not run, of those that run: one that is down can be told to start nothing. */
export function nodesWithout({ running_status }: Plugin, nodes: readonly Node[]): readonly string[] {
  const running = running_status.filter(({ status }) => status === 'running');
  return runningNodesBut(running, nodes);
}

/** The running nodes on which the plugin is not even installed. */
export function nodesLacking({ running_status }: Plugin, nodes: readonly Node[]): readonly string[] {
  return runningNodesBut(running_status, nodes);
}

function runningNodesBut(those: Plugin['running_status'], nodes: readonly Node[]): readonly string[] {
  return nodes
    .filter((each) => isRunning(each) && !those.some(({ node }) => node === each.node))
    .map(({ node }) => node);
}

/** True where a server has been given a hook; EMQX knows only once the server has answered. */
export function hasHook(server: ExHookServer, hook: string): boolean {
  return server.hooks.some(({ name }) => name === hook);
}

/**
 * Servers that stop EMQX from asking `server` for authentication or authorization: enabled, asked before it, and with
 * `failed_action = deny`, for EMQX takes "did not register this hook" for a failure and stops there.
 */
export function blockersOf(server: string, servers: readonly ExHookServer[]): ExHookServer[] {
  const at = servers.findIndex(({ name }) => name === server);
  const before = at === -1 ? servers : servers.slice(0, at);
  return before.filter(
    (other) =>
      other.enable &&
      other.failed_action === 'deny' &&
      !(hasHook(other, 'client.authenticate') && hasHook(other, 'client.authorize')),
  );
}

/**
 * What `failed_action` Tightbeam's server must have. `deny` refuses clients while the service does not answer. Beside
 * another server that has registered `message.publish`, `deny` would stop that chain for every message, because
 * Tightbeam registers no such hook; there it is `ignore`, and the plugin's guard refuses in its place.
 */
export function failedActionBeside(servers: readonly ExHookServer[]): 'deny' | 'ignore' {
  return publishers(servers).length > 0 ? 'ignore' : 'deny';
}

/** Other servers that have registered `message.publish`. */
export function publishers(servers: readonly ExHookServer[]): ExHookServer[] {
  return servers.filter((other) => other.name !== NAME && other.enable && hasHook(other, 'message.publish'));
}
