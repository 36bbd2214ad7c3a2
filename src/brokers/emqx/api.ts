import { z } from 'zod';
import { EmqxApiError, type EmqxRest } from './rest.js';

const Node = z.looseObject({
  node: z.string(),
  node_status: z.string(),
  /** Absent of a node of the cluster that is down. */
  version: z.string().optional(),
});
const Hook = z.looseObject({
  name: z.string(),
  params: z.looseObject({ topics: z.array(z.string()).optional() }).optional(),
});
const ExHookServer = z.looseObject({
  name: z.string(),
  url: z.string(),
  enable: z.boolean(),
  failed_action: z.enum(['deny', 'ignore']),
  request_timeout: z.string(),
  auto_reconnect: z.union([z.string(), z.literal(false)]),
  pool_size: z.number(),
  hooks: z.array(Hook),
  node_status: z.array(z.looseObject({ node: z.string(), status: z.string() })),
  metrics: z.looseObject({ succeed: z.number(), failed: z.number() }),
  /** Certificates and key are paths on EMQX's nodes. Sent, they may be the PEM text itself. */
  ssl: z
    .looseObject({
      enable: z.boolean().optional(),
      verify: z.string().optional(),
      cacertfile: z.string().optional(),
      certfile: z.string().optional(),
      keyfile: z.string().optional(),
      server_name_indication: z.string().optional(),
    })
    .optional(),
});
const AuthorizationSettings = z.looseObject({
  no_match: z.enum(['allow', 'deny']),
  deny_action: z.string(),
  /** `excludes` came with EMQX 5.5. */
  cache: z.looseObject({ enable: z.boolean(), ttl: z.string(), excludes: z.array(z.string()).optional() }),
  /** Came with EMQX 6.1. */
  include_mountpoint: z.boolean().optional(),
});
const Source = z.looseObject({ type: z.string(), enable: z.boolean().default(true), rules: z.string().optional() });
const Authenticator = z.looseObject({
  mechanism: z.string(),
  backend: z.string().optional(),
  enable: z.boolean().default(true),
});
const ListenerId = z.looseObject({ id: z.string() });
const Listener = z.looseObject({
  id: z.string(),
  enable: z.boolean().optional(),
  enable_authn: z.union([z.boolean(), z.string()]).optional(),
  mountpoint: z.string().optional(),
});
const Zone = z.looseObject({ mqtt: z.looseObject({ namespace_as_mountpoint: z.boolean().optional() }).optional() });
const Plugin = z.looseObject({
  name: z.string(),
  rel_vsn: z.string(),
  running_status: z.array(z.looseObject({ node: z.string(), status: z.string() })),
});
const Alarms = z.looseObject({ data: z.array(z.looseObject({ name: z.string(), message: z.string().optional() })) });

export type Node = z.output<typeof Node>;
export type ExHookServer = z.output<typeof ExHookServer>;
/** What `POST` and `PUT /exhooks` take: the settings of a server, without what EMQX reports about it. */
export type ExHookSettings = Pick<
  ExHookServer,
  'name' | 'url' | 'enable' | 'failed_action' | 'request_timeout' | 'auto_reconnect' | 'pool_size'
> &
  Record<string, unknown>;
export type AuthorizationSettings = z.output<typeof AuthorizationSettings>;
export type Source = z.output<typeof Source>;
export type Authenticator = z.output<typeof Authenticator>;
export type Listener = z.output<typeof Listener>;
export type Zone = z.output<typeof Zone>;
export type Plugin = z.output<typeof Plugin>;
export type Alarm = z.output<typeof Alarms>['data'][number];

/**
 * A cluster makes a change on one node, and then on the others; each waits for an ExHook server that accepts and does not
 * answer (its request_timeout, 5 s, twice where the address changes), or for the package of a plugin.
 */
const CHANGE_TIMEOUT_MS = 30_000;

/**
 * EMQX's management API (EMQX 5.0 to 6.x), as far as setting up and examining an EMQX needs it.
 *
 * Every method throws EmqxApiError: no answer in time, a status other than 2xx, or an answer that is not EMQX's.
 */
export class EmqxApi {
  readonly #rest: EmqxRest;

  constructor(rest: EmqxRest) {
    this.#rest = rest;
  }

  nodes(): Promise<Node[]> {
    return this.#rest.get('/nodes', z.array(Node));
  }

  exHooks(): Promise<ExHookServer[]> {
    return this.#rest.get('/exhooks', z.array(ExHookServer));
  }

  addExHook(settings: ExHookSettings): Promise<void> {
    return this.#rest.send('POST', '/exhooks', settings, CHANGE_TIMEOUT_MS);
  }

  changeExHook(settings: ExHookSettings): Promise<void> {
    return this.#rest.send('PUT', `/exhooks/${encodeURIComponent(settings.name)}`, settings, CHANGE_TIMEOUT_MS);
  }

  /** Moves a server in front of the others: servers are asked in their order. */
  moveExHookToFront(name: string): Promise<void> {
    return this.#rest.send('POST', `/exhooks/${encodeURIComponent(name)}/move`, { position: 'front' });
  }

  removeExHook(name: string): Promise<void> {
    return this.#rest.send('DELETE', `/exhooks/${encodeURIComponent(name)}`);
  }

  authorizationSettings(): Promise<AuthorizationSettings> {
    return this.#rest.get('/authorization/settings', AuthorizationSettings);
  }

  setAuthorizationSettings(settings: AuthorizationSettings): Promise<void> {
    return this.#rest.send('PUT', '/authorization/settings', settings);
  }

  /** Authorization sources in the order in which they are asked; secrets in them are masked by EMQX. */
  async sources(): Promise<Source[]> {
    return (await this.#rest.get('/authorization/sources', z.looseObject({ sources: z.array(Source) }))).sources;
  }

  /** Adds a source in front of the others. */
  addSource(source: Source): Promise<void> {
    return this.#rest.send('POST', '/authorization/sources', source);
  }

  /** Replaces a source at its place; masked secrets stay what they are. */
  changeSource(source: Source): Promise<void> {
    return this.#rest.send('PUT', `/authorization/sources/${encodeURIComponent(source.type)}`, source);
  }

  removeSource(type: string): Promise<void> {
    return this.#rest.send('DELETE', `/authorization/sources/${encodeURIComponent(type)}`);
  }

  authenticators(): Promise<Authenticator[]> {
    return this.#rest.get('/authentication', z.array(Authenticator));
  }

  async listeners(): Promise<Listener[]> {
    const ids = await this.#rest.get('/listeners', z.array(ListenerId));
    return Promise.all(ids.map(({ id }) => this.#rest.get(`/listeners/${encodeURIComponent(id)}`, Listener)));
  }

  /** Settings of clients, where no zone of the listener has others. */
  globalZone(): Promise<Zone> {
    return this.#rest.get('/configs/global_zone', Zone);
  }

  plugins(): Promise<Plugin[]> {
    return this.#rest.get('/plugins', z.array(Plugin));
  }

  /** Configuration of a plugin, or undefined where EMQX keeps none for it (before 5.7, or without a schema). */
  async pluginConfig(nameVersion: string): Promise<Record<string, unknown> | undefined> {
    try {
      return await this.#rest.get(
        `/plugins/${encodeURIComponent(nameVersion)}/config`,
        z.record(z.string(), z.unknown()),
      );
    } catch (error) {
      if (error instanceof EmqxApiError && (error.status === 400 || error.status === 404)) return undefined;
      throw error;
    }
  }

  /** Uploads a package; EMQX 5.8.9 and later answer 403 until `emqx ctl plugins allow` has named it. */
  async uploadPlugin(fileName: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const form = new FormData();
    form.append('plugin', new Blob([content], { type: 'application/gzip' }), fileName);
    await this.#rest.send('POST', '/plugins/install', form, CHANGE_TIMEOUT_MS);
  }

  /** Starts a plugin on all nodes; one whose package lies in the plugins folder of a node is installed first. */
  startPlugin(nameVersion: string): Promise<void> {
    return this.#rest.send('PUT', `/plugins/${encodeURIComponent(nameVersion)}/start`, undefined, CHANGE_TIMEOUT_MS);
  }

  stopPlugin(nameVersion: string): Promise<void> {
    return this.#rest.send('PUT', `/plugins/${encodeURIComponent(nameVersion)}/stop`);
  }

  /** Stops a plugin and deletes it with its package, on all nodes. */
  removePlugin(nameVersion: string): Promise<void> {
    return this.#rest.send('DELETE', `/plugins/${encodeURIComponent(nameVersion)}`);
  }

  /** Alarms that are raised now. */
  async alarms(): Promise<Alarm[]> {
    return (await this.#rest.get('/alarms?activated=true&limit=100', Alarms)).data;
  }
}
