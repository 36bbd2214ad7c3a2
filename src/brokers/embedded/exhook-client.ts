import { Client, credentials, type ServiceError } from '@grpc/grpc-js';
import type { HookName } from '../../exhook/hooks.js';
import { serviceDefinition } from '../../exhook/protocol.js';
import type { CallName, RequestMeta, RequestOf, ResponseOf } from '../../exhook/wire.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import { matchesTopic } from '../topic-filter.js';

export interface ExhookClientOptions {
  /** Address of the hook provider, `host:port`. */
  readonly address: string;
  readonly meta: RequestMeta;
  readonly diagnostics: Diagnostics;
  /** How long a call may take, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** How long to wait before the provider is tried again, in milliseconds. */
  readonly reconnectMs: number;
}

type Unstamped<Name extends CallName> = Omit<RequestOf<Name>, 'meta'>;

const service = serviceDefinition('v2');

/**
 * The broker's side of ExHook. It calls what the provider registered, and nothing before the provider has answered
 * OnProviderLoaded; a call that fails is a call without an answer.
 */
export class ExhookClient {
  readonly #options: ExhookClientOptions;
  readonly #grpc: Client;
  readonly #startedAt = Date.now();
  #hooks: ReadonlyMap<string, readonly string[]> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ExhookClientOptions) {
    this.#options = options;
    this.#grpc = new Client(options.address, credentials.createInsecure());
  }

  /** Asks the provider for its hooks; where it does not answer, asks again and again in the background. */
  async load(): Promise<void> {
    const { meta, diagnostics, address, reconnectMs } = this.#options;
    const answer = await this.call('OnProviderLoaded', {
      broker: {
        version: meta.version,
        sysdescr: meta.sysdescr,
        uptime: String(Date.now() - this.#startedAt),
        datetime: new Date().toISOString(),
      },
    });
    if (this.#closed) return;
    if (answer !== undefined) {
      this.#hooks = new Map(answer.hooks.map(({ name, topics }) => [name, topics]));
      return;
    }
    diagnostics('warn', 'The hook provider does not answer; every client is refused until it does.', { address });
    this.#retry = setTimeout(() => void this.load(), reconnectMs);
  }

  /** True where the provider wants this hook; a message hook with topic filters, on this topic. */
  wants(hook: HookName, topic?: string): boolean {
    const filters = this.#hooks?.get(hook);
    if (filters === undefined) return false;
    return topic === undefined || filters.length === 0 || filters.some((filter) => matchesTopic(filter, topic));
  }

  /** One call; undefined where it failed. Never rejects. */
  call<Name extends CallName>(name: Name, request: Unstamped<Name>): Promise<ResponseOf<Name> | undefined> {
    const { path, requestSerialize, responseDeserialize } = service[name];
    const { meta, requestTimeoutMs, diagnostics } = this.#options;
    const stamped = { ...request, meta } as RequestOf<Name>;
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#grpc.makeUnaryRequest(
        path,
        requestSerialize as (value: RequestOf<Name>) => Buffer,
        responseDeserialize as (bytes: Buffer) => ResponseOf<Name>,
        stamped,
        { deadline: Date.now() + requestTimeoutMs },
        (error: ServiceError | null, response?: ResponseOf<Name>) => {
          if (error !== null && !this.#closed) {
            diagnostics('warn', 'A hook call got no answer.', { call: name, error: error.message });
          }
          resolve(response);
        },
      );
    });
  }

  /** Says good-bye to a provider that was loaded, and ends the connection. */
  async close(): Promise<void> {
    if (this.#hooks !== undefined) await this.call('OnProviderUnloaded', {});
    this.#closed = true;
    clearTimeout(this.#retry);
    this.#grpc.close();
  }
}
