import { z } from 'zod';
import { BrokerFault } from '../../operations/broker.js';

export interface EmqxRestOptions {
  /** Where EMQX's management API is, without `/api/v5`, for instance `http://emqx:18083`. */
  readonly url: string;
  readonly apiKey: string;
  readonly apiSecret: string;
  /** How long an answer may take, in milliseconds. */
  readonly timeoutMs?: number;
}

const Problem = z.object({ code: z.string(), message: z.unknown() });

/** EMQX's management API (5.0 to 6.x), as far as the data plane reads and deletes. */
export class EmqxRest {
  readonly #base: string;
  readonly #authorization: string;
  readonly #timeoutMs: number;

  constructor({ url, apiKey, apiSecret, timeoutMs = 5_000 }: EmqxRestOptions) {
    this.#base = `${url.replace(/\/+$/, '')}/api/v5`;
    this.#authorization = `Basic ${Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')}`;
    this.#timeoutMs = timeoutMs;
  }

  /** What is at the path, or undefined where nothing is. Rejects with BrokerFault. */
  async get<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
    const answer = await this.#call('GET', path);
    if (answer === undefined) return undefined;
    const parsed = schema.safeParse(answer);
    if (parsed.success) return parsed.data;
    throw new BrokerFault(
      'BROKER_UNAVAILABLE',
      `GET ${path}: not the answer of an EMQX: ${z.prettifyError(parsed.error)}`,
    );
  }

  /** False where there was nothing to delete. Rejects with BrokerFault. */
  async delete(path: string): Promise<boolean> {
    return (await this.#call('DELETE', path)) !== undefined;
  }

  /** The body (null where it is empty), or undefined for 404. */
  async #call(method: string, path: string): Promise<unknown> {
    const what = `${method} ${path}`;
    const signal = AbortSignal.timeout(this.#timeoutMs);
    let status: number;
    let body: unknown;
    try {
      const response = await fetch(this.#base + path, {
        method,
        signal,
        headers: { authorization: this.#authorization },
      });
      status = response.status;
      const text = await response.text();
      body = text === '' ? null : JSON.parse(text);
    } catch (error) {
      const { message, cause } = error as Error;
      const why = cause instanceof Error ? `${message}: ${cause.message}` : message;
      throw new BrokerFault('BROKER_UNAVAILABLE', `${what}: ${why}`, { cause: error });
    }
    if (status >= 200 && status < 300) return body;
    if (status === 404) return undefined;
    const { data } = Problem.safeParse(body);
    const said = data === undefined ? '' : ` ${data.code}: ${String(data.message)}`;
    // The retainer says 400 where its messages are not in the built-in database.
    throw new BrokerFault(status === 400 ? 'NOT_SUPPORTED' : 'BROKER_UNAVAILABLE', `${what}: ${status}${said}`);
  }
}
