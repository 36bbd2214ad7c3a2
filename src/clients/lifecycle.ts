import { randomUUID } from 'node:crypto';
import type { Identity } from '../identity/identity.js';
import { disconnectReason } from '../observing/disconnect-reasons.js';
import { LIFECYCLE_PREFIX } from './reserved.js';

/** Sessions of clients that are away, or connected, whose identifier is remembered at the most. */
const MAX_SESSIONS = 100_000;

/** Publishes to whoever has subscribed. Never throws. */
export type PublishLifecycle = (topic: string, payload: Buffer) => void;

/** What is told of one connection, from CONNACK on. */
export interface ConnectionLifecycle {
  /** @param filters what one SUBSCRIBE was granted, none: nothing is told */
  subscribed(filters: readonly string[]): void;
  /** @param filters what one UNSUBSCRIBE named */
  unsubscribed(filters: readonly string[]): void;
  /** @param reason the broker's word @param sessionStays whether the session outlives the connection */
  ended(reason: string, sessionStays: boolean): void;
}

/**
 * Lifecycle events in the form of AWS IoT Core (Developer Guide, "Lifecycle events"), for a broker whose clients connect in
 * this process. EMQX's plugin does the same for its own (emqx-plugin/src/tightbeam_presence.erl).
 *
 * `sessionIdentifier` is the same for the life of a session, as far as this process saw it begin; `versionNumber` is the same
 * for the begin and the end of a connection and greater for each later connection: microseconds since 1970.
 */
export class LifecycleEvents {
  readonly #publish: PublishLifecycle;
  readonly #sessions = new Map<string, string>();
  #version = 0;

  constructor(publish: PublishLifecycle) {
    this.#publish = publish;
  }

  /** @param resumed whether the client carries a session on */
  connected(identity: Identity, resumed: boolean): ConnectionLifecycle {
    const { clientId = '', sourceIp } = identity;
    const session = this.#session(clientId, resumed);
    const versionNumber = this.#nextVersion();
    const tell = (topic: string, eventType: string, more: object): void => {
      this.#tell(topic, eventType, identity, session, more);
    };
    const ofFilters = (eventType: 'subscribed' | 'unsubscribed', topics: readonly string[]): void => {
      if (topics.length > 0) tell(`subscriptions/${eventType}`, eventType, { topics });
    };
    tell('presence/connected', 'connected', { ipAddress: sourceIp, versionNumber });
    return {
      subscribed: (filters) => {
        ofFilters('subscribed', filters);
      },
      unsubscribed: (filters) => {
        ofFilters('unsubscribed', filters);
      },
      ended: (reason, sessionStays) => {
        if (!sessionStays && this.#sessions.get(clientId) === session) this.#sessions.delete(clientId);
        const name = disconnectReason(reason);
        const clientInitiatedDisconnect = name === 'CLIENT_INITIATED_DISCONNECT';
        const more = { clientInitiatedDisconnect, disconnectReason: name, versionNumber };
        tell('presence/disconnected', 'disconnected', more);
      },
    };
  }

  /** A client may not connect. `identity` says who it is only where that was proved. */
  connectFailed(identity: Identity): void {
    const more = { connectFailureReason: 'AUTHORIZATION_FAILED', ipAddress: identity.sourceIp };
    this.#tell('presence/connect_failed', 'connect_failed', identity, randomUUID(), more);
  }

  #session(clientId: string, resumed: boolean): string {
    const session = (resumed ? this.#sessions.get(clientId) : undefined) ?? randomUUID();
    this.#sessions.delete(clientId);
    this.#sessions.set(clientId, session);
    if (this.#sessions.size > MAX_SESSIONS) {
      const [oldest] = this.#sessions.keys();
      if (oldest !== undefined) this.#sessions.delete(oldest);
    }
    return session;
  }

  #nextVersion(): number {
    this.#version = Math.max(Date.now() * 1000, this.#version + 1);
    return this.#version;
  }

  #tell(topic: string, eventType: string, identity: Identity, sessionIdentifier: string, more: object): void {
    const { clientId = '', certificate, username } = identity;
    // AWS tells nothing of these: no topic name can have a wildcard in it (MQTT 5, section 4.7.1).
    if (/[#+]/.test(clientId)) return;
    // AWS's certificate ID is the SHA-256 of the certificate.
    const principalIdentifier = certificate?.fingerprint ?? username;
    const event = { clientId, timestamp: Date.now(), eventType, sessionIdentifier, principalIdentifier, ...more };
    this.#publish(`${LIFECYCLE_PREFIX}${topic}/${clientId}`, Buffer.from(JSON.stringify(event)));
  }
}
