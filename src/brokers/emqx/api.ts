import { z } from 'zod';

/** Where EMQX's management API is and who asks. */
export interface EmqxApiOptions {
  /** Address of the dashboard listener, for instance `http://emqx:18083`; with or without `/api/v5`. */
  readonly url: string;
  /** API key and secret, made in the dashboard or by `api_key.bootstrap_file`. */
  readonly key: string;
  readonly secret: string;
  /** Time for one call, in milliseconds, its answer included; default 10,000. */
  readonly timeoutMs?: number;
}

/** A call that EMQX did not carry out. The message names method, URL, status and EMQX's own code and text. */
export class EmqxApiError extends Error {
  override readonly name = 'EmqxApiError';
  constructor(
    message: string,
    /** HTTP status; absent where no answer came. */
    readonly status?: number,
    /** EMQX's error code, for instance NOT_FOUND. */
    readonly code?: string,
  ) {
    super(message);
  }
}

const Node = z.looseObject({ node: z.string(), node_status: z.string(), version: z.string() });
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
});
const AuthorizationSettings = z.looseObject({
  no_match: z.enum(['allow', 'deny']),
  deny_action: z.string(),
  /** `excludes` came with EMQX 5.5. */
  cache: z.looseObject({ enable: z.boolean(), ttl: z.string(), excludes: z.array(z.string()).optional() }),
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
});
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
export type Plugin = z.output<typeof Plugin>;
export type Alarm = z.output<typeof Alarms>['data'][number];

/**
 * Client of EMQX's management API (`/api/v5`, EMQX 5.0 to 6.x), as far as Tightbeam needs it.
 *
 * Every method throws EmqxApiError: no answer in time, a status other than 2xx, or an answer that is not EMQX's.
 */
export class EmqxApi {
  readonly #base: string;
  readonly #authorization: string;
  readonly #timeoutMs: number;

  constructor(options: EmqxApiOptions) {
    this.#base = options.url.replace(/\/+$/, '').replace(/\/api\/v5$/, '') + '/api/v5';
    if (!URL.canParse(this.#base) || !/^https?:/.test(this.#base)) {
      throw new EmqxApiError(`${options.url} is not an http or https URL`);
    }
    this.#authorization = `Basic ${Buffer.from(`${options.key}:${options.secret}`).toString('base64')}`;
    this.#timeoutMs = options.timeoutMs ?? 10_000;
  }

  nodes(): Promise<Node[]> {
    return this.#get('/nodes', z.array(Node));
  }

  exHooks(): Promise<ExHookServer[]> {
    return this.#get('/exhooks', z.array(ExHookServer));
  }

  addExHook(settings: ExHookSettings): Promise<void> {
    return this.#send('POST', '/exhooks', settings);
  }

  changeExHook(settings: ExHookSettings): Promise<void> {
    return this.#send('PUT', `/exhooks/${encodeURIComponent(settings.name)}`, settings);
  }

  /** Moves a server in front of the others: servers are asked in their order. */
  moveExHookToFront(name: string): Promise<void> {
    return this.#send('POST', `/exhooks/${encodeURIComponent(name)}/move`, { position: 'front' });
  }

  removeExHook(name: string): Promise<void> {
    return this.#send('DELETE', `/exhooks/${encodeURIComponent(name)}`);
  }

  authorizationSettings(): Promise<AuthorizationSettings> {
    return this.#get('/authorization/settings', AuthorizationSettings);
  }

  setAuthorizationSettings(settings: AuthorizationSettings): Promise<void> {
    return this.#send('PUT', '/authorization/settings', settings);
  }

  /** Authorization sources in the order in which they are asked; secrets in them are masked by EMQX. */
  async sources(): Promise<Source[]> {
    return (await this.#get('/authorization/sources', z.looseObject({ sources: z.array(Source) }))).sources;
  }

  /** Adds a source in front of the others. */
  addSource(source: Source): Promise<void> {
    return this.#send('POST', '/authorization/sources', source);
  }

  /** Replaces a source at its place; masked secrets stay what they are. */
  changeSource(source: Source): Promise<void> {
    return this.#send('PUT', `/authorization/sources/${encodeURIComponent(source.type)}`, source);
  }

  removeSource(type: string): Promise<void> {
    return this.#send('DELETE', `/authorization/sources/${encodeURIComponent(type)}`);
  }

  authenticators(): Promise<Authenticator[]> {
    return this.#get('/authentication', z.array(Authenticator));
  }

  async listeners(): Promise<Listener[]> {
    const ids = await this.#get('/listeners', z.array(ListenerId));
    return Promise.all(ids.map(({ id }) => this.#get(`/listeners/${encodeURIComponent(id)}`, Listener)));
  }

  plugins(): Promise<Plugin[]> {
    return this.#get('/plugins', z.array(Plugin));
  }

  /** Configuration of a plugin, or undefined where EMQX keeps none for it (before 5.7, or without a schema). */
  async pluginConfig(nameVersion: string): Promise<Record<string, unknown> | undefined> {
    try {
      return await this.#get(`/plugins/${encodeURIComponent(nameVersion)}/config`, z.record(z.string(), z.unknown()));
    } catch (error) {
      if (error instanceof EmqxApiError && (error.status === 400 || error.status === 404)) return undefined;
      throw error;
    }
  }

  /** Uploads a package; EMQX 5.8.9 and later answer 403 until `emqx ctl plugins allow` has named it. */
  async uploadPlugin(fileName: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const form = new FormData();
    form.append('plugin', new Blob([content], { type: 'application/gzip' }), fileName);
    await this.#call('POST', '/plugins/install', form);
  }

  /** Starts a plugin on all nodes; one whose package lies in the plugins folder of a node is installed first. */
  startPlugin(nameVersion: string): Promise<void> {
    return this.#send('PUT', `/plugins/${encodeURIComponent(nameVersion)}/start`);
  }

  stopPlugin(nameVersion: string): Promise<void> {
    return this.#send('PUT', `/plugins/${encodeURIComponent(nameVersion)}/stop`);
  }

  /** Stops a plugin and deletes it with its package, on all nodes. */
  removePlugin(nameVersion: string): Promise<void> {
    return this.#send('DELETE', `/plugins/${encodeURIComponent(nameVersion)}`);
  }

  /** Alarms that are raised now. */
  async alarms(): Promise<Alarm[]> {
    return (await this.#get('/alarms?activated=true&limit=100', Alarms)).data;
  }

  async #get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const text = await this.#call('GET', path);
    let answer: unknown;
    try {
      answer = JSON.parse(text);
    } catch {
      throw new EmqxApiError(`GET ${this.#base}${path}: the answer is not JSON; is this EMQX's management API?`);
    }
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new EmqxApiError(
      `GET ${this.#base}${path}: an answer that no supported EMQX gives (${z.prettifyError(parsed.error)})`,
    );
  }

  async #send(method: string, path: string, body?: unknown): Promise<void> {
    await this.#call(method, path, body === undefined ? undefined : JSON.stringify(body));
  }

  async #call(method: string, path: string, body?: string | FormData): Promise<string> {
    const url = this.#base + path;
    const headers: Record<string, string> = { authorization: this.#authorization };
    if (typeof body === 'string') headers['content-type'] = 'application/json';
    const signal = AbortSignal.timeout(this.#timeoutMs);
    let status: number;
    let text: string;
    try {
      const response = await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new EmqxApiError(`${method} ${url}: ${whyNoAnswer(error, this.#timeoutMs)}`);
    }
    if (status >= 200 && status < 300) return text;
    const { code, message } = errorOf(text);
    const said = [code, message].filter((part) => part !== undefined).join(': ');
    throw new EmqxApiError(`${method} ${url}: ${status}${said === '' ? '' : ` ${said}`}`, status, code);
  }
}

function whyNoAnswer(error: unknown, timeoutMs: number): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer within ${timeoutMs} ms`;
  // fetch wraps what happened, for instance ECONNREFUSED, in "fetch failed".
  const { message: why, code } = (cause ?? {}) as Partial<NodeJS.ErrnoException>;
  return [why, code].find((text) => text !== undefined && text !== '') ?? message;
}

const ErrorAnswer = z.looseObject({ code: z.string().optional(), message: z.unknown() });

function errorOf(text: string): { code?: string | undefined; message?: string } {
  try {
    const { code, message } = ErrorAnswer.parse(JSON.parse(text));
    return { code, message: typeof message === 'string' ? message : JSON.stringify(message) };
  } catch {
    return {};
  }
}
