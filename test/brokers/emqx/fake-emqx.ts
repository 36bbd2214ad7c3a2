import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { EmqxRest } from '../../../src/brokers/emqx/rest.js';
import { recorded, recordedCall, type Recorded } from './recording.js';

type Json = Record<string, unknown>;

/** ACL that EMQX 5.8 ships, without its long comments. */
export const SHIPPED_ACL = `%%-------------- Default ACL rules ----------------

{allow, {username, {re, "^dashboard$"}}, subscribe, ["$SYS/#"]}.

{allow, {ipaddr, "127.0.0.1"}, all, ["$SYS/#", "#"]}.

{deny, all, subscribe, ["$SYS/#", {eq, "#"}, {eq, "+/#"}]}.

{allow, all}.
%% NOTE! when deploy in production:
`;

/** Hooks as the service asks for them where the plugin tells it of connections. */
export const HOOKS = [
  { name: 'client.authenticate', params: {} },
  { name: 'client.authorize', params: {} },
  { name: 'message.dropped', params: { topics: ['$dm/#'] } },
];

/** How EMQX 5.8.9 lists a node of its cluster that is down. */
export const DOWN = { node: 'emqx2@127.0.0.1', node_status: 'stopped', role: 'core' };

/**
 * EMQX's management API as far as Tightbeam uses it: a real HTTP server, whose answers are the recorded ones, with the
 * settings kept in memory.
 */
export class FakeEmqx {
  /** Whether EMQX reaches the service whose address is registered. */
  reachable = true;
  /** What `emqx ctl plugins allow` was called with: `NAME-VSN`, or `NAME-VSN sha256:HEX`. */
  allowed: string[] = [];
  /** First parts of paths that the scopes of the API key leave out. */
  outOfScope: string[] = [];
  /** How many calls are answered 404, as EMQX does while it starts and has not made its routes yet. */
  starting = 0;
  /** Loads of the hooks without an unload: each time that EMQX 5.9 or later got its service back. */
  reloads = 0;
  /** Packages that lie in the plugins folder. */
  folder: string[] = [];
  /** Nodes on which no plugin starts, whatever EMQX answers. */
  refusing: string[] = [];
  /** Nodes to which no package gets. */
  unreached: string[] = [];
  nodes: Json[];
  settings: Json;
  globalZone: Json = { mqtt: { namespace_as_mountpoint: false } };
  sources: Json[] = [{ type: 'file', enable: true, rules: SHIPPED_ACL }];
  authenticators: Json[] = [];
  listeners: Json[] = [{ id: 'tcp:default', enable: true, enable_authn: true }];
  exHooks: Json[] = [];
  plugins: Json[] = [];
  pluginConfig: Json | undefined;
  alarms: Json[] = [];
  /** Calls that changed something, as `METHOD /path`. */
  readonly changes: string[] = [];
  readonly #server: Server;

  private constructor(readonly version: Recorded) {
    this.nodes = recorded(version, 'nodes').response as Json[];
    this.settings = { ...(recorded(version, 'authorization settings').response as Json), no_match: 'allow' };
    this.#server = createServer((request, response) => {
      void this.#answer(request).then(([status, body]) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(body === undefined ? undefined : JSON.stringify(body));
      });
    });
  }

  static async start(version: Recorded = '5.8.9'): Promise<FakeEmqx> {
    const fake = new FakeEmqx(version);
    await new Promise<void>((resolve) => fake.#server.listen(0, '127.0.0.1', resolve));
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get api(): EmqxApi {
    return this.apiWith('secret');
  }

  apiWith(secret: string): EmqxApi {
    return new EmqxApi(new EmqxRest({ url: this.url, key: 'key', secret, timeoutMs: 60_000 }));
  }

  /** The name of its node. */
  get node(): string {
    return String(this.nodes[0]?.['node']);
  }

  /** Whether hooks are left of which no server is: EMQX then refuses all clients. */
  get refusesEverybody(): boolean {
    return this.reloads > 0 && !this.exHooks.some(({ hooks }) => (hooks as Json[]).length > 0);
  }

  /** All that an installation may change. */
  get configuration(): unknown {
    const { settings, sources, exHooks, plugins } = this;
    return structuredClone({ settings, sources, exHooks, plugins });
  }

  /** An ExHook server of somebody else. */
  addForeignExHook(name: string, failedAction: 'deny' | 'ignore', hooks: readonly string[]): void {
    this.exHooks.push({
      ...this.#exHookAnswer({ name, url: 'http://elsewhere:1', enable: true, failed_action: failedAction }, true),
      hooks: hooks.map((hook) => ({ name: hook, params: {} })),
    });
  }

  addPlugin(version: string, status = 'running'): void {
    this.plugins.push({
      name: 'tightbeam',
      rel_vsn: version,
      running_status: this.#statuses(status),
    });
  }

  /** As EMQX lists them: of the nodes that run. */
  #statuses(status: string): Json[] {
    return this.nodes
      .filter(({ node, node_status }) => node_status === 'running' && !this.unreached.includes(node as string))
      .map(({ node }) => ({ node, status: this.refusing.includes(node as string) ? 'stopped' : status }));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage): Promise<[status: number, body?: unknown]> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const path = decodeURIComponent((request.url ?? '').replace(/^\/api\/v5/, '').replace(/\?.*/, ''));
    const method = request.method ?? '';
    if (request.headers.authorization !== `Basic ${Buffer.from('key:secret').toString('base64')}`) {
      const { status, response } = recorded(this.version, 'a key refused');
      return [status, response];
    }
    if (this.starting > 0) {
      this.starting -= 1;
      return [404];
    }
    if (this.outOfScope.includes(path.split('/')[1] ?? '')) {
      return [
        403,
        { code: 'UNAUTHORIZED_ROLE', message: "This API Key don't have permission to access this resource" },
      ];
    }
    if (method === 'GET') return this.#read(path);
    this.changes.push(`${method} ${path}`);
    const isJson = request.headers['content-type'] === 'application/json';
    return this.#change(method, path, isJson ? (JSON.parse(body.toString()) as Json) : {}, body);
  }

  #read(path: string): [number, unknown?] {
    const [, first, id, last] = path.split('/');
    const answers: Record<string, unknown> = {
      '/nodes': this.nodes,
      '/exhooks': this.exHooks,
      '/authorization/settings': this.settings,
      '/authorization/sources': { sources: this.sources },
      '/authentication': this.authenticators,
      '/listeners': this.listeners,
      '/plugins': this.plugins,
      '/configs/global_zone': this.globalZone,
      '/alarms': { data: this.alarms, meta: { count: this.alarms.length, limit: 100, page: 1 } },
    };
    if (path in answers) return [200, answers[path]];
    if (first === 'listeners') return [200, this.listeners.find((listener) => listener['id'] === id)];
    if (first === 'plugins' && last === 'config') {
      if (this.pluginConfig !== undefined) return [200, this.pluginConfig];
      if (this.version === '5.8.9') return [400, { code: 'BAD_CONFIG', message: 'Plugin Config Not Found' }];
      const { status, response } = recordedCall(this.version, 'GET /plugins/tightbeam-0.1.0/config', '');
      return [status, response];
    }
    return [404, { code: 'NOT_FOUND', message: path }];
  }

  #change(method: string, path: string, body: Json, raw: Buffer): [number, unknown?] {
    const [, first, second, third, fourth] = path.split('/');
    if (first === 'exhooks') return this.#changeExHook(method, second, third, body);
    if (path === '/authorization/settings') return [200, (this.settings = body)];
    if (first === 'authorization' && second === 'sources') return this.#changeSource(method, third, body);
    if (first === 'plugins') return this.#changePlugin(method, second ?? '', third ?? fourth, raw);
    return [404, { code: 'NOT_FOUND', message: path }];
  }

  #changeExHook(method: string, name: string | undefined, action: string | undefined, body: Json): [number, unknown?] {
    const at = this.exHooks.findIndex((server) => server['name'] === name);
    if (name !== undefined && at === -1) {
      const { status, response } = recorded(this.version, 'an ExHook server removed that is not there');
      return [status, response];
    }
    if (action === 'move') {
      this.exHooks.unshift(...this.exHooks.splice(at, 1));
      return [204];
    }
    if (method === 'DELETE') {
      this.exHooks.splice(at, 1);
      return [204];
    }
    // EMQX 5.8.9 takes PEM text for paths where it adds a server, and so does not connect; a change it reads well.
    const misreads = name === undefined && JSON.stringify(body['ssl'] ?? {}).includes('-----BEGIN ');
    const answer = this.#exHookAnswer(body, this.reachable && !misreads);
    if (name === undefined) this.exHooks.push(answer);
    else this.exHooks[at] = answer;
    return [200, answer];
  }

  #changeSource(method: string, type: string | undefined, body: Json): [number, unknown?] {
    const at = this.sources.findIndex((source) => source['type'] === (type ?? body['type']));
    if (method === 'POST') {
      if (at !== -1) return [400, { code: 'BAD_REQUEST', message: 'duplicated_authz_source_type' }];
      this.sources.unshift(body);
    } else if (at === -1) return [404, { code: 'NOT_FOUND', message: `Not found: ${type ?? ''}` }];
    else if (method === 'DELETE') this.sources.splice(at, 1);
    else this.sources[at] = body;
    return [204];
  }

  #changePlugin(method: string, name: string, action: string | undefined, raw: Buffer): [number, unknown?] {
    if (name === 'install') {
      const fileName = /filename="([^"]+)\.tar\.gz"/.exec(raw.toString('latin1'))?.[1] ?? '';
      const conflicting = this.plugins.filter(
        ({ rel_vsn }) => this.version === '5.8.9' || fileName === `tightbeam-${String(rel_vsn)}`,
      );
      if (conflicting.length > 0) return [400, { code: 'ALREADY_INSTALLED', message: `${fileName} already installed` }];
      const grant = this.allowed.find((each) => each.split(' ')[0] === fileName);
      if (grant === undefined) {
        const { status, response } = recordedCall('6.2.0', 'POST /plugins/install', 'not allowed yet');
        return [status, response];
      }
      const [, pinned] = grant.split(' sha256:');
      if (pinned !== undefined && pinned !== createHash('sha256').update(packageIn(raw)).digest('hex')) {
        // Read in EMQX 6.0.3, apps/emqx_management/src/emqx_mgmt_api_plugins.erl.
        const message = `Package sha256 does not match the value bound by \`emqx ctl plugins allow ${fileName} sha256:...\``;
        return [403, { code: 'FORBIDDEN', message }];
      }
      this.addPlugin(fileName.replace('tightbeam-', ''), 'stopped');
      return [204];
    }
    if (method === 'DELETE') {
      this.plugins = this.plugins.filter((plugin) => `tightbeam-${String(plugin['rel_vsn'])}` !== name);
      return [204];
    }
    if (action === 'start') {
      if (this.folder.includes(name) && this.plugins.length === 0) this.addPlugin(name.replace('tightbeam-', ''));
      for (const plugin of this.plugins.filter(({ rel_vsn }) => name === `tightbeam-${String(rel_vsn)}`)) {
        plugin['running_status'] = this.#statuses('running');
      }
    }
    // As EMQX 5.8.9: success, whatever came of it.
    return [204];
  }

  #exHookAnswer(settings: Json, reachable: boolean): Json {
    const answer = recorded(this.version, 'an ExHook server that EMQX cannot reach').response as Json;
    const status = settings['enable'] === false ? 'disabled' : reachable ? 'connected' : 'connecting';
    return {
      ...answer,
      ...settings,
      ssl: { ...(answer['ssl'] as Json), ...storedPem(settings) },
      hooks: status === 'connected' ? HOOKS : [],
      node_status: (answer['node_status'] as Json[]).map(({ node }) => ({ node, status })),
    };
  }
}

/** The package in a form that has nothing else. */
function packageIn(form: Buffer): Buffer {
  const boundary = form.subarray(0, form.indexOf('\r\n'));
  return form.subarray(form.indexOf('\r\n\r\n') + 4, form.indexOf(Buffer.concat([Buffer.from('\r\n'), boundary]), 4));
}

/** As EMQX 5.8.9: PEM text goes into a file, whose name ends in a fingerprint, and its path comes back. */
function storedPem({ name, ssl = {} }: Json): Json {
  const entries = Object.entries(ssl as Json).map(([setting, value]) => {
    if (typeof value !== 'string' || !value.includes('-----BEGIN ')) return [setting, value];
    const kind = setting.replace('file', '');
    const print = createHash('md5')
      .update(`exhook/${String(name)}${kind}${value}`)
      .digest('hex');
    return [setting, `data/certs/exhook/${String(name)}/${kind}-${print.slice(0, 16).toUpperCase()}`];
  });
  return Object.fromEntries(entries) as Json;
}
