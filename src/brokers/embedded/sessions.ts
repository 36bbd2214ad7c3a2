import type { ClientInfo } from '../../exhook/wire.js';
import type { ClientConnection } from './client-connection.js';

/** A session whose client is away. */
export interface AwaySession {
  /** The client info with which the session was last connected. */
  readonly info: ClientInfo;
  /** The connection that it had, closed. */
  readonly last: ClientConnection;
  /** Milliseconds since 1970. */
  readonly since: number;
}

/** Which clients are connected, and which are away with a session that has not expired. */
export class Sessions {
  readonly #live = new Map<string, ClientConnection>();
  readonly #away = new Map<string, AwaySession>();

  get size(): number {
    return this.#live.size;
  }

  connectionOf(clientId: string): ClientConnection | undefined {
    return this.#live.get(clientId);
  }

  away(clientId: string): AwaySession | undefined {
    return this.#away.get(clientId);
  }

  /** @returns the connection that had this client ID till now. */
  connected(connection: ClientConnection): ClientConnection | undefined {
    const { id } = connection.client;
    const before = this.#live.get(id);
    this.#live.set(id, connection);
    this.#away.delete(id);
    return before;
  }

  /** @returns true where the session outlives the connection. */
  disconnected(connection: ClientConnection): boolean {
    const { id, sessionExpiryInterval } = connection.client;
    // Another connection has the client ID: session and ID are its own now.
    if (this.#live.get(id) !== connection) return true;
    this.#live.delete(id);
    if (sessionExpiryInterval === 0 || connection.info === undefined) return false;
    this.#away.set(id, { info: connection.info, last: connection, since: Date.now() });
    return true;
  }

  /** @returns the session, where there was one. */
  forget(clientId: string): AwaySession | undefined {
    const session = this.#away.get(clientId);
    this.#away.delete(clientId);
    return session;
  }
}
