import type { Endpoints } from './endpoints.js';

/** A session that outlives its connection, as far as the door saw it. */
export interface AwaySession {
  readonly endpoints: Endpoints;
  readonly keepAlive: number;
  readonly sessionExpiry: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly endReason: string;
  /** Packet identifiers that the client knows under others than the broker. */
  readonly renamed: readonly (readonly [brokerId: number, id: number])[];
}

/** Most sessions that are remembered; the one that went first is forgotten first. */
const MOST = 100_000;

/** Which clients went away with a session that has not expired. What was before the door's start it does not know. */
export class AwaySessions {
  readonly #sessions = new Map<string, AwaySession>();

  get(clientId: string): AwaySession | undefined {
    const session = this.#sessions.get(clientId);
    if (session === undefined || Date.now() < session.since + session.sessionExpiry * 1_000) return session;
    this.#sessions.delete(clientId);
    return undefined;
  }

  set(clientId: string, session: AwaySession): void {
    this.#sessions.delete(clientId);
    const [oldest] = this.#sessions.size >= MOST ? this.#sessions.keys() : [];
    if (oldest !== undefined) this.#sessions.delete(oldest);
    this.#sessions.set(clientId, session);
  }

  delete(clientId: string): void {
    this.#sessions.delete(clientId);
  }
}
