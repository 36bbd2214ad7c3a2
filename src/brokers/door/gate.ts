import { isUnderDirect, parseDirectTopic } from '../../direct/topic.js';
import type { Authenticator, Credentials } from '../../identity/authenticator.js';
import type { Identity } from '../../identity/identity.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { Events } from '../../observing/events.js';
import { newTraceId } from '../../observing/trace-id.js';
import type { Tracing } from '../../observing/tracing.js';
import type { Authorizer, Decision } from '../../policy/authorizer.js';
import type { ConnectFacts } from '../../policy/context.js';
import type { Reason } from '../../reasons.js';
import type { PendingMessage } from '../direct/pending.js';
import { pairsOf } from '../direct/user-properties.js';
import type { DoorConnection } from './connection.js';
import type { Admission, Rules } from './context.js';
import type { Connect } from './wire/connect.js';

/**
 * Whose word counts for who a client is: that of Tightbeam's credentials and certificates, or that of the broker, by
 * accepting the CONNECT. The broker gets each CONNECT in either case, and may refuse it.
 */
export type AuthenticatedBy = 'tightbeam' | 'broker';

export interface GateOptions {
  readonly authenticatedBy: AuthenticatedBy;
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly events: Events;
  readonly tracing: Tracing;
  readonly diagnostics: Diagnostics;
  /** The service's own user: it needs its password here, whoever authenticates the others, and no policy. */
  readonly serviceUsername: string;
}

/**
 * What policies say of the clients of the door, asked in this process with all facts. Every decision is told as it is of a
 * broker that asks over gRPC, after the answer.
 */
export class Gate implements Rules {
  constructor(private readonly options: GateOptions) {}

  /** Before the broker is asked, so that who may not connect disturbs nobody who is connected. Never rejects. */
  async admit(connection: DoorConnection, connect: Connect): Promise<Admission> {
    const { authenticatedBy, serviceUsername } = this.options;
    const claim = claimOf(connection, connect);
    const isService = claim.username === serviceUsername;
    let identity = identityOf(claim, connection);
    if (isService || authenticatedBy !== 'broker') {
      const authentication = await this.#authenticate(claim);
      if (!authentication.ok) {
        this.#refused(connection, authentication.reason, { details: authentication.details });
        return { ok: false };
      }
      identity = { ...authentication.identity, secureTransport: connection.endpoints.secureTransport };
    }
    if (isService) return { ok: true, identity, isService };
    if (connection.endpoints.internal) return { ok: false };
    return this.#mayConnect(connection, connect, identity) ? { ok: true, identity, isService } : { ok: false };
  }

  /** The broker's CONNACK said no. */
  refusedByBroker(connection: DoorConnection, reasonCode: number): void {
    const details = `The broker refused the client: 0x${reasonCode.toString(16).padStart(2, '0')}.`;
    this.#refused(connection, 'INVALID_CREDENTIALS', { details });
  }

  connected({ identity, isService }: DoorConnection): void {
    if (identity === undefined) return;
    const { authorizer, events } = this.options;
    this.#afterwards(() => {
      events.tell('Connect', { identity, ...(isService ? {} : { decision: authorizer.connect(identity) }) });
    });
  }

  disconnected({ identity, endReason = 'tcp_closed' }: DoorConnection): void {
    if (identity === undefined) return;
    this.#afterwards(() => {
      this.options.events.tell('Disconnect', { identity, disconnectReason: endReason });
    });
  }

  publish(connection: DoorConnection, topicName: string, facts: Parameters<Rules['publish']>[2]): boolean {
    const { identity, isService } = connection;
    if (isService) return true;
    if (identity === undefined) return false;
    const { retain, qos, payloadBytes } = facts;
    const decision = this.options.authorizer.publish(identity, topicName, { retain });
    if (decision.effect === 'allow') return true;
    const reason = 'PUBLISH_NOT_AUTHORIZED';
    this.#afterwards(() => {
      this.options.events.tell('Publish-In', { identity, topicName, decision, reason, qos, payloadBytes });
    });
    return false;
  }

  subscribe({ identity, isService }: DoorConnection, topicName: string, qos: number): boolean {
    if (identity === undefined) return false;
    // Policies decide only what the service subscribes to, which is nothing.
    if (isService) return false;
    const decision = this.options.authorizer.subscribe(identity, topicName);
    const refusal = decision.effect === 'allow' ? {} : ({ reason: 'SUBSCRIBE_NOT_AUTHORIZED' } as const);
    this.#afterwards(() => {
      this.options.events.tell('Subscribe', { identity, topicName, qos, decision, ...refusal });
    });
    return decision.effect === 'allow';
  }

  receive(connection: DoorConnection, topic: string): boolean {
    // What the broker keeps for a session can be older than a policy, and a subscription wider than what may be received.
    return connection.isService || this.#mayReceive(connection, topic);
  }

  /** May the connection send (PUBLISH), or receive (SUBSCRIBE), on this direct topic? */
  direct(connection: DoorConnection, type: 'PUBLISH' | 'SUBSCRIBE', directTopic: string): boolean {
    if (connection.isService) return true;
    const parsed = parseDirectTopic(directTopic);
    if (!parsed.ok || connection.identity === undefined) return false;
    const { address } = parsed;
    if (type === 'SUBSCRIBE') return this.#mayReceive(connection, address.topic);
    const sender = connection.identity;
    const decision = this.options.authorizer.sendDirectMessage(sender, address.targetClientId, address.topic);
    if (decision.effect === 'allow') return true;
    this.#afterwards(() => {
      const reason = 'SENDER_NOT_AUTHORIZED';
      const traceId = newTraceId();
      this.options.events.tell('SendDirectMessage', {
        traceId,
        sender,
        message: address,
        reason,
        durationMs: 0,
        decision,
      });
    });
    return false;
  }

  /** A direct message of a client has its outcome. */
  told({ sender, packet, address, qos, since }: PendingMessage, reason: Reason): void {
    const { origin } = sender;
    if (origin === undefined) return;
    const traceparent = pairsOf(packet.properties?.userProperties).find(([name]) => name === 'traceparent')?.[1];
    const outcome = {
      message: { ...address, confirmation: qos > 0, payloadBytes: packet.payload.length },
      reason,
      durationMs: performance.now() - since,
      endedAt: Date.now(),
    };
    this.#afterwards(() => {
      const { tracing, events } = this.options;
      const traceId = tracing.mqttMessage({ ...outcome, senderClientId: origin.clientId, traceparent });
      const { clientId, username, sourceIp } = origin;
      events.tell('SendDirectMessage', {
        ...outcome,
        traceId,
        sender: { protocol: 'MQTT', clientId, username, sourceIp },
      });
    });
  }

  async #authenticate(claim: Credentials): ReturnType<Authenticator['authenticate']> {
    try {
      return await this.options.authenticator.authenticate(claim);
    } catch (error) {
      this.options.diagnostics('error', 'A client could not be authenticated.', { error: String(error) });
      return { ok: false, reason: 'INVALID_CREDENTIALS', details: 'The authenticator failed.' };
    }
  }

  #mayConnect(connection: DoorConnection, connect: Connect, identity: Identity): boolean {
    const { authorizer } = this.options;
    const decision = authorizer.connect(identity, connectFacts(connection, connect));
    if (decision.effect === 'deny') {
      this.#refused(connection, 'CONNECT_NOT_AUTHORIZED', { decision });
      return false;
    }
    const { will } = connect;
    if (will === undefined) return true;
    // The broker will publish it when nobody can be asked any more.
    if (isUnderDirect(will.topic)) {
      this.#refused(connection, 'CONNECT_NOT_AUTHORIZED', { details: 'A will cannot be a direct message.' });
      return false;
    }
    const willDecision = authorizer.publish(identity, will.topic, { retain: will.retain });
    if (willDecision.effect === 'allow') return true;
    this.#refused(connection, 'CONNECT_NOT_AUTHORIZED', { decision: willDecision, details: 'The topic of the will.' });
    return false;
  }

  #mayReceive({ identity }: DoorConnection, topicName: string): boolean {
    if (identity === undefined) return false;
    const decision = this.options.authorizer.receiveDirectMessage(identity, topicName);
    if (decision.effect === 'allow') return true;
    this.#afterwards(() => {
      this.options.events.tell('Receive', {
        identity,
        topicName,
        reason: 'RECEIVER_NOT_AUTHORIZED',
        decision,
      });
    });
    return false;
  }

  /** Neither username nor certificate are told: who it is has not been established. */
  #refused(
    { clientId, endpoints }: DoorConnection,
    reason: Reason,
    more: { readonly decision?: Decision; readonly details?: string },
  ): void {
    const { sourceIp, sourcePort } = endpoints;
    this.#afterwards(() => {
      this.options.events.tell('Connect', {
        identity: { protocol: 'MQTT', clientId, sourceIp, sourcePort },
        reason,
        ...more,
      });
    });
  }

  #afterwards(task: () => void): void {
    setImmediate(() => {
      try {
        task();
      } catch (error) {
        this.options.diagnostics('error', 'An event could not be recorded.', { error: String(error) });
      }
    });
  }
}

function claimOf({ clientId, endpoints }: DoorConnection, { username, password }: Connect): Credentials {
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

function identityOf(claim: Credentials, { endpoints }: DoorConnection): Identity {
  const { clientId, username, sourceIp, sourcePort } = claim;
  const { certificate, secureTransport } = endpoints;
  return {
    protocol: 'MQTT',
    clientId,
    ...(username !== undefined && { username }),
    ...(certificate && { certificate }),
    sourceIp,
    sourcePort,
    secureTransport,
  };
}

function connectFacts({ endpoints }: DoorConnection, { clean, sessionExpiry, will }: Connect): ConnectFacts {
  const attributes = [];
  if (!clean || sessionExpiry > 0) attributes.push('PersistentConnect');
  if (will !== undefined) attributes.push('LastWill');
  return {
    connectAttributes: attributes,
    ...(will && { lastWillTopic: will.topic }),
    ...(endpoints.serverName !== undefined && { domainName: endpoints.serverName }),
  };
}
