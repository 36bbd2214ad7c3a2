import { isUnderDirect } from '../../direct/topic.js';
import type { ClientConnection } from './client-connection.js';
import type { ExhookClient } from './exhook-client.js';

/** Most permissions that one connection is remembered; the oldest goes first. */
const REMEMBERED = 256;

/**
 * May a connection publish or subscribe? The service's own user is decided here, as a file ACL of EMQX would; all others
 * by the hook provider. Only permissions are remembered: a refusal is asked for, and logged, each time.
 */
export class Authorization {
  readonly #exhook: ExhookClient;
  readonly #cacheMs: number;

  constructor(exhook: ExhookClient, cacheMs: number) {
    this.#exhook = exhook;
    this.#cacheMs = cacheMs;
  }

  /** The answer at once where it is known. Denies where no provider answers. Never rejects. */
  ask(connection: ClientConnection, type: 'PUBLISH' | 'SUBSCRIBE', topic: string): boolean | Promise<boolean> {
    if (connection.isService) return type === 'PUBLISH' || isUnderDirect(topic);
    const key = `${type} ${topic}`;
    const until = connection.allowed.get(key);
    if (until !== undefined) {
      if (performance.now() < until) return true;
      connection.allowed.delete(key);
    }
    if (this.#cacheMs === 0) return this.#askProvider(connection, type, topic);
    const asked = connection.asking.get(key);
    // As in EMQX, whose connections handle one message after the other: the permission of the first does for those that
    // came meanwhile, a refusal for none.
    if (asked !== undefined) return asked.then((allowed) => allowed || this.#askProvider(connection, type, topic));
    const asking = this.#askProvider(connection, type, topic).then((allowed) => {
      connection.asking.delete(key);
      if (allowed) this.#remember(connection, key);
      return allowed;
    });
    connection.asking.set(key, asking);
    return asking;
  }

  async #askProvider(connection: ClientConnection, type: 'PUBLISH' | 'SUBSCRIBE', topic: string): Promise<boolean> {
    if (connection.info === undefined || !this.#exhook.wants('client.authorize')) return false;
    const answer = await this.#exhook.call('OnClientAuthorize', {
      clientinfo: connection.info,
      type,
      topic,
      result: false,
    });
    return answer?.type !== 'IGNORE' && answer?.bool_result === true;
  }

  #remember({ allowed }: ClientConnection, key: string): void {
    const [oldest] = allowed.size >= REMEMBERED ? allowed.keys() : [];
    if (oldest !== undefined) allowed.delete(oldest);
    allowed.set(key, performance.now() + this.#cacheMs);
  }
}
