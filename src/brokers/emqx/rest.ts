import { z } from 'zod';

/** Where EMQX's management API is and who asks. */
export interface EmqxRestOptions {
  /** Address of the dashboard listener, for instance `http://emqx:18083`; with or without `/api/v5`. */
  readonly url: string;
  /** API key and secret, made in the dashboard or by `api_key.bootstrap_file`. */
  readonly key: string;
  readonly secret: string;
  /** Time for one call, in milliseconds, its answer included; default 10,000. */
  readonly timeoutMs?: number;
}

/**
 * What the API key of the commands and of the service must be. Read in emqx/emqx: the scopes of each path (`scopes()` of the
 * modules `*_api*.erl`), and that 6.1.4 and 6.3 refuse `system` together with others (emqx_api_key_scopes.hrl).
 */
const NEEDED_KEY =
  'The API key needs the role administrator and, where it has scopes (EMQX 5.10.4, 6.0.3, 6.1.2, 6.2.1 and later), of ' +
  'them cluster_operations, data_integration, access_control, system, monitoring and connections; EMQX 6.1.4 and 6.3 give ' +
  'all of these only to a key for which no scopes were chosen';

/** A call that EMQX did not carry out. The message names method, URL, status and EMQX's own code and text. */
export class EmqxApiError extends Error {
  override readonly name = 'EmqxApiError';
  constructor(
    message: string,
    /** HTTP status; absent where no answer came. */
    readonly status?: number,
    /** EMQX's error code, for instance NOT_FOUND. */
    readonly code?: string,
    /** EMQX's error code and text; empty where it gave none. */
    readonly said = '',
  ) {
    super(message);
  }
}

/**
 * Client of EMQX's management API (`/api/v5`, EMQX 5.0 to 6.x): the one way to it, for the commands and the data plane.
 *
 * Every method throws EmqxApiError: no answer in time, a status other than 2xx, or an answer that is not EMQX's.
 */
export class EmqxRest {
  readonly #base: string;
  readonly #authorization: string;
  readonly #timeoutMs: number;

  constructor({ url, key, secret, timeoutMs = 10_000 }: EmqxRestOptions) {
    this.#base = url.replace(/\/+$/, '').replace(/\/api\/v5$/, '') + '/api/v5';
    if (!URL.canParse(this.#base) || !/^https?:/.test(this.#base)) {
      throw new EmqxApiError(`${url} is not an http or https URL`);
    }
    this.#authorization = `Basic ${Buffer.from(`${key}:${secret}`).toString('base64')}`;
    this.#timeoutMs = timeoutMs;
  }

  /** What is at the path. */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    const text = await this.#call('GET', path, this.#timeoutMs);
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

  /** A change; an object goes as JSON. `timeoutMs` for one that takes longer than other calls. */
  async send(
    method: 'POST' | 'PUT' | 'DELETE',
    path: string,
    body?: object,
    timeoutMs = this.#timeoutMs,
  ): Promise<void> {
    const content = body === undefined || body instanceof FormData ? body : JSON.stringify(body);
    await this.#call(method, path, timeoutMs, content);
  }

  async #call(method: string, path: string, timeoutMs: number, body?: string | FormData): Promise<string> {
    const url = this.#base + path;
    const headers: Record<string, string> = { authorization: this.#authorization };
    if (typeof body === 'string') headers['content-type'] = 'application/json';
    const signal = AbortSignal.timeout(timeoutMs);
    let status: number;
    let text: string;
    try {
      const response = await fetch(url, { method, headers, signal, ...(body === undefined ? {} : { body }) });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new EmqxApiError(`${method} ${url}: ${whyNoAnswer(error, timeoutMs)}`);
    }
    if (status >= 200 && status < 300) return text;
    const { code, message } = errorOf(text);
    const said = [code, message].filter((part) => part !== undefined).join(': ');
    const hint = code === 'UNAUTHORIZED_ROLE' ? `. ${NEEDED_KEY}` : '';
    throw new EmqxApiError(`${method} ${url}: ${status}${said === '' ? '' : ` ${said}`}${hint}`, status, code, said);
  }
}

/** For what may not be there: undefined where EMQX answers 404. */
export async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof EmqxApiError && error.status === 404) return undefined;
    throw error;
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
