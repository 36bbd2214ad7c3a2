import { clientContext, type ClientContext, type ClientOptions } from '../../clients/context.js';
import { mayConnect, tellConnected, type ConnectTerms } from '../../clients/connect.js';
import type { LifecycleEvents } from '../../clients/lifecycle.js';
import { tellDisconnected } from '../../clients/disconnect.js';
import { tellOutcomes } from '../../clients/outcome.js';
import { tellDelivered } from '../../clients/deliver.js';
import { mayPublish, tellPublished } from '../../clients/publish.js';
import { mayReceive } from '../../clients/receive.js';
import { maySubscribe } from '../../clients/subscribe.js';
import { tellUnsubscribed } from '../../clients/unsubscribe.js';
import { parseDirectTopic } from '../../direct/topic.js';
import type { Authentication, Authenticator, PresentedCredentials } from '../../identity/authenticator.js';
import type { Reason } from '../../reasons.js';
import type { PendingMessage } from '../direct/message.js';
import { pairsOf } from '../direct/user-properties.js';
import type { DoorConnection } from './connection.js';
import { matchesTopic } from '../topic-filter.js';
import type { Admission, PublishFacts, Rules } from './context.js';
import type { Connect } from './wire/connect.js';

/**
 * Whose word counts for who a client is: that of Tightbeam's credentials and certificates, or that of the broker, by
 * accepting the CONNECT. The broker gets each CONNECT in either case, and may refuse it.
 */
export type AuthenticatedBy = 'tightbeam' | 'broker';

/** What is told of what passes, beyond what is refused. */
export interface LoggedPackets {
  /** Topic filters of what clients publish. */
  readonly publishIn: readonly string[];
  /** Topic filters of what is delivered to clients. */
  readonly publishOut: readonly string[];
  readonly unsubscribe: boolean;
}

export interface GateOptions {
  readonly authenticatedBy: AuthenticatedBy;
  readonly logged: LoggedPackets;
  /** Absent where none are published. */
  readonly lifecycle?: LifecycleEvents | undefined;
}

/** What policies say of the clients of the door, asked in this process with all facts. */
export class Gate implements Rules {
  readonly #context: ClientContext;
  readonly #provesIdentity: boolean;
  readonly #logged: LoggedPackets;
  readonly #lifecycle: LifecycleEvents | undefined;

  constructor(options: ClientOptions, { authenticatedBy, logged, lifecycle }: GateOptions) {
    this.#logged = logged;
    this.#lifecycle = lifecycle;
    this.#provesIdentity = authenticatedBy === 'tightbeam';
    const authenticator = authenticatedBy === 'broker' ? leftToBroker(options) : options.authenticator;
    this.#context = clientContext({ ...options, authenticator });
  }

  /** Before the broker is asked, so that who may not connect disturbs nobody who is connected. Never rejects. */
  async admit(connection: DoorConnection, connect: Connect): Promise<Admission> {
    const { secureTransport, internal } = connection.endpoints;
    const claim = claimOf(connection, connect);
    try {
      const verdict = await mayConnect({ claim, terms: termsOf(connection, connect), secureTransport }, this.#context);
      if (!verdict.allowed) {
        // Where the broker is the one who knows, the client has proved nothing yet.
        if (verdict.provenIdentity !== undefined && this.#provesIdentity)
          this.#lifecycle?.connectFailed(verdict.provenIdentity);
        return { ok: false };
      }
      if (internal && !verdict.isService) return { ok: false };
      return { ok: true, identity: verdict.identity, isService: verdict.isService };
    } catch (error) {
      this.#context.diagnostics('error', 'A client could not be authenticated.', { error: String(error) });
      return { ok: false };
    }
  }

  /** The broker's CONNACK said no. Who the client is has not been established. */
  refusedByBroker({ clientId, endpoints }: DoorConnection, reasonCode: number): void {
    const { sourceIp, sourcePort } = endpoints;
    const details = `The broker refused the client: 0x${reasonCode.toString(16).padStart(2, '0')}.`;
    const identity = { protocol: 'MQTT', clientId, sourceIp, sourcePort } as const;
    this.#context.afterwards(() => {
      this.#context.events.tell('Connect', { identity, reason: 'INVALID_CREDENTIALS', details });
    });
  }

  connected(connection: DoorConnection): void {
    const { identity, handshake } = connection;
    if (identity === undefined || handshake.connect === undefined) return;
    tellConnected({ identity, terms: termsOf(connection, handshake.connect) }, this.#context);
    if (!connection.isService)
      connection.lifecycle = this.#lifecycle?.connected(identity, connection.session?.resumed === true);
  }

  disconnected({ identity, endReason = 'tcp_closed', lifecycle, session }: DoorConnection): void {
    if (identity !== undefined) tellDisconnected({ identity, reason: endReason }, this.#context);
    lifecycle?.ended(endReason, session !== undefined && session.sessionExpiry > 0);
  }

  publish({ identity }: DoorConnection, topicName: string, facts: PublishFacts): boolean {
    if (identity === undefined) return false;
    const { retain, qos, payloadBytes } = facts;
    const message = { identity, topicName, qos, payloadBytes };
    if (!mayPublish({ ...message, retain }, this.#context).allowed) return false;
    if (isOneOf(this.#logged.publishIn, topicName)) tellPublished(message, this.#context);
    return true;
  }

  delivered({ identity }: DoorConnection, topicName: string, { qos, payloadBytes }: PublishFacts): void {
    if (identity === undefined || !isOneOf(this.#logged.publishOut, topicName)) return;
    tellDelivered({ identity, topicName, qos, payloadBytes }, this.#context);
  }

  subscribed({ lifecycle }: DoorConnection, topicFilters: readonly string[]): void {
    lifecycle?.subscribed(topicFilters);
  }

  unsubscribed({ identity, lifecycle }: DoorConnection, topicFilters: readonly string[]): void {
    lifecycle?.unsubscribed(topicFilters);
    if (identity !== undefined && this.#logged.unsubscribe) tellUnsubscribed({ identity, topicFilters }, this.#context);
  }

  subscribe({ identity }: DoorConnection, topicFilter: string, qos: number): boolean {
    return identity !== undefined && maySubscribe({ identity, topicFilter, qos }, this.#context).allowed;
  }

  /** What a broker keeps for a session can be older than a policy, and a subscription wider than what may be received. */
  receive({ identity }: DoorConnection, topicName: string): boolean {
    return identity !== undefined && mayReceive({ identity, topicName, direct: false }, this.#context).allowed;
  }

  /** May the connection send (PUBLISH), or receive (SUBSCRIBE), on this direct topic? */
  direct(connection: DoorConnection, type: 'PUBLISH' | 'SUBSCRIBE', directTopic: string): boolean {
    const { identity } = connection;
    if (identity === undefined) return false;
    if (type === 'PUBLISH') return mayPublish({ identity, topicName: directTopic }, this.#context).allowed;
    const parsed = parseDirectTopic(directTopic);
    return parsed.ok && mayReceive({ identity, topicName: parsed.address.topic, direct: true }, this.#context).allowed;
  }

  /** A direct message of a client has its outcome. */
  told({ sender, packet, address, qos, since }: PendingMessage, reason: Reason, details?: string): void {
    const { origin } = sender;
    if (origin === undefined) return;
    const { clientId, username, sourceIp } = origin;
    const outcome = {
      sender: { protocol: 'MQTT', clientId, username, sourceIp } as const,
      message: { ...address, confirmation: qos > 0, payloadBytes: packet.payload.length },
      reason,
      durationMs: performance.now() - since,
      endedAt: Date.now(),
      traceparent: pairsOf(packet.properties?.userProperties).find(([name]) => name === 'traceparent')?.[1],
      details,
    };
    tellOutcomes([outcome], this.#context);
  }
}

function isOneOf(filters: readonly string[], topicName: string): boolean {
  return filters.some((filter) => matchesTopic(filter, topicName));
}

/** The broker will say whether it is true. The service's own user, which needs no policy, has to show its password here. */
function leftToBroker({ authenticator, serviceUsername }: ClientOptions): Authenticator {
  return {
    authenticate(claim): Promise<Authentication> {
      if (claim.username === serviceUsername) return authenticator.authenticate(claim);
      const { clientId, username, certificate, sourceIp, sourcePort } = claim;
      const identity = {
        protocol: 'MQTT',
        clientId,
        username,
        ...(certificate && { certificate }),
        sourceIp,
        sourcePort,
      } as const;
      return Promise.resolve({ ok: true, identity });
    },
  };
}

function claimOf({ clientId, endpoints }: DoorConnection, { username, password }: Connect): PresentedCredentials {
  const { certificate, sourceIp, sourcePort } = endpoints;
  return {
    clientId,
    // The version of AWS IoT Device SDKs that log in by certificate (`?SDK=...`) names nobody.
    ...(username !== undefined && username !== '' && !username.startsWith('?') && { username }),
    ...(password !== undefined && { password: password.toString() }),
    ...(certificate && { certificate }),
    sourceIp,
    sourcePort,
  };
}

function termsOf({ endpoints }: DoorConnection, { clean, sessionExpiry, will }: Connect): ConnectTerms {
  return {
    persistent: !clean || sessionExpiry > 0,
    will: will && { topicName: will.topic, retain: will.retain },
    serverName: endpoints.serverName,
  };
}
