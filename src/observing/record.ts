import type { Identity } from '../identity/identity.js';
import type { Decision } from '../policy/authorizer.js';
import { REASONS, type Reason } from '../reasons.js';
import { brokerWord, disconnectReason, type DisconnectReason } from './disconnect-reasons.js';
import type {
  ActionEvent,
  AuthorizationModeEvent,
  BrokerConnectionEvent,
  DirectMessageEvent,
  DisconnectEvent,
  EventsMissedEvent,
  PolicyReloadEvent,
  WouldDenyEvent,
} from './events.js';

/**
 * What is written of an event, beside its type. Field names are those of
 * AWS IoT's CloudWatch logs, and after them what AWS lacks. docs/telemetry.md describes each. A field without a value
 * is absent from the line. No payload and no secret ever gets here.
 */
export interface EventFacts {
  readonly traceId: string;
  readonly status: 'Success' | 'Failure';
  readonly protocol?: 'MQTT' | 'HTTP' | undefined;
  readonly clientId?: string | undefined;
  readonly principalId?: string | undefined;
  readonly topicName?: string | undefined;
  readonly sourceIp?: string | undefined;
  readonly sourcePort?: number | undefined;
  readonly reason?: Reason | undefined;
  readonly details?: string | undefined;
  readonly disconnectReason?: DisconnectReason | undefined;
  readonly targetClientId?: string | undefined;
  readonly durationMs?: number | undefined;
  readonly qos?: number | undefined;
  readonly payloadBytes?: number | undefined;
  readonly retain?: boolean | undefined;
  readonly protocolVersion?: number | undefined;
  readonly cleanStart?: boolean | undefined;
  readonly sessionExpirySeconds?: number | undefined;
  readonly keepAliveSeconds?: number | undefined;
  readonly willTopic?: string | null | undefined;
  readonly missed?: number | undefined;
  readonly node?: string | undefined;
  readonly written?: 'yes' | 'no' | 'unknown' | undefined;
  readonly deviceCode?: number | undefined;
  readonly deviceReason?: string | undefined;
  readonly firstTraceId?: string | undefined;
  readonly earlierWritten?: boolean | undefined;
  readonly responseTopic?: string | undefined;
  readonly responseBytes?: number | undefined;
  readonly policy?: string | undefined;
  readonly statement?: string | undefined;
  /** Of a denial only: what was asked, as `tightbeam policy explain` wants it, and why it was denied. */
  readonly action?: string | undefined;
  readonly resource?: string | undefined;
  readonly cause?: Decision['cause'] | undefined;
  readonly username?: string | undefined;
  readonly commonName?: string | undefined;
  readonly distinguishedName?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly jwtSubject?: string | undefined;
  readonly secureTransport?: boolean | undefined;
  readonly connectAttributes?: readonly string[] | undefined;
  readonly lastWillTopic?: string | undefined;
  readonly domainName?: string | undefined;
  readonly policyVersion?: string | undefined;
  readonly policies?: number | undefined;
  readonly principals?: number | undefined;
  readonly changes?: readonly string[] | undefined;
  readonly broker?: string | undefined;
  readonly state?: BrokerConnectionEvent['state'] | undefined;
  readonly receiverPrincipalId?: string | undefined;
}

/** The principal that stands for the caller; where none does, the name of the credential that was verified. */
function principalId(identity: Identity, decision: Decision | undefined): string | undefined {
  return (
    decision?.principalId ??
    identity.certificate?.commonName ??
    identity.accessKeyId ??
    identity.jwtSubject ??
    identity.username
  );
}

/**
 * Of a denial everything that it was decided by, so that it can be decided again: who, as far as it was established, and
 * what a CONNECT asked for. An allow is told by policy and statement.
 */
function basis(
  decision: Decision,
  identity: Identity,
  { connect }: Pick<ActionEvent, 'connect'> = {},
): Partial<EventFacts> {
  const { username, certificate, accessKeyId, jwtSubject, secureTransport } = identity;
  return {
    username,
    commonName: certificate?.commonName,
    distinguishedName: certificate?.distinguishedName,
    fingerprint: certificate?.fingerprint,
    accessKeyId,
    jwtSubject,
    secureTransport,
    connectAttributes: connect?.connectAttributes,
    lastWillTopic: connect?.lastWillTopic,
    domainName: connect?.domainName,
    policyVersion: decision.policyVersion,
  };
}

/** A denial's own value, of a decision: an allow is told by policy and statement. */
function ofDenial<K extends 'action' | 'resource' | 'cause'>(
  decision: Decision | undefined,
  key: K,
): Decision[K] | undefined {
  return decision?.effect === 'deny' ? decision[key] : undefined;
}

/** Longest `details` of an event that somebody outside caused, in characters: much of it may be in their own words. */
const MAX_DETAILS = 1024;

/** What the event says of itself, and what went wrong while its decision was made. */
function details(text: string | undefined, decision: Decision | undefined): string | undefined {
  if (decision === undefined || decision.errors.length === 0) return text === undefined ? undefined : shorten(text);
  return shorten([...(text === undefined ? [] : [text]), ...decision.errors].join('; '));
}

function shorten(text: string): string {
  return text.length <= MAX_DETAILS ? text : `${text.slice(0, MAX_DETAILS - 1)}…`;
}

const round = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;

/*
 * Each record is one literal: fields that are spread in from others' results cost several times as much, and there is one
 * record an event.
 */

export function directMessageRecord(event: DirectMessageEvent, traceId: string): EventFacts {
  const { message, sender, decision, reason, receiverDecision } = event;
  // What refused it: the decision about the sender is that it may.
  const told = receiverDecision ?? decision;
  const facts: EventFacts = {
    traceId,
    status: REASONS[reason].status,
    protocol: sender.protocol,
    clientId: sender.clientId,
    principalId: principalId(sender, decision),
    topicName: message.topic,
    sourceIp: sender.sourceIp,
    sourcePort: sender.sourcePort,
    reason,
    details: details(event.details, decision),
    targetClientId: message.targetClientId,
    durationMs: round(event.durationMs),
    qos: message.confirmation === undefined ? undefined : message.confirmation ? 1 : 0,
    payloadBytes: message.payloadBytes,
    written: event.written,
    deviceCode: event.device?.code,
    deviceReason: event.device?.reasonString === undefined ? undefined : shorten(event.device.reasonString),
    firstTraceId: event.firstTraceId,
    earlierWritten: event.earlierWritten,
    responseTopic: event.responseTopic,
    responseBytes: event.responseBytes,
    policy: told?.policy,
    statement: told?.statement,
    action: ofDenial(told, 'action'),
    resource: ofDenial(told, 'resource'),
    receiverPrincipalId: receiverDecision?.principalId,
    policyVersion: receiverDecision?.policyVersion,
    cause: ofDenial(told, 'cause'),
  };
  return decision?.effect === 'deny' ? { ...facts, ...basis(decision, sender) } : facts;
}

export function actionRecord(event: ActionEvent, traceId: string): EventFacts {
  const { identity, decision, reason } = event;
  const facts: EventFacts = {
    traceId,
    status: reason === undefined ? 'Success' : REASONS[reason].status,
    protocol: identity.protocol,
    clientId: event.clientId ?? identity.clientId,
    principalId: decision?.principalId ?? event.principalId ?? principalId(identity, decision),
    topicName: event.topicName,
    sourceIp: identity.sourceIp,
    sourcePort: identity.sourcePort,
    reason,
    details: details(event.details, decision),
    durationMs: event.durationMs === undefined ? undefined : round(event.durationMs),
    qos: event.qos,
    payloadBytes: event.payloadBytes,
    retain: event.retain,
    protocolVersion: event.connection?.protocolVersion,
    cleanStart: event.connection?.cleanStart,
    sessionExpirySeconds: event.connection?.sessionExpirySeconds,
    keepAliveSeconds: event.connection?.keepAliveSeconds,
    willTopic: event.connection?.willTopic,
    policy: decision?.policy,
    statement: decision?.statement,
    action: ofDenial(decision, 'action'),
    resource: ofDenial(decision, 'resource'),
    cause: ofDenial(decision, 'cause'),
    username: decision === undefined ? undefined : identity.username,
    commonName: decision === undefined ? undefined : identity.certificate?.commonName,
  };
  return decision?.effect === 'deny' ? { ...facts, ...basis(decision, identity, event) } : facts;
}

export function disconnectRecord(event: DisconnectEvent, traceId: string): EventFacts {
  return {
    ...actionRecord(event, traceId),
    details: shorten(event.details ?? brokerWord(event.disconnectReason)),
    disconnectReason: disconnectReason(event.disconnectReason),
  };
}

export function eventsMissedRecord({ of, count, node }: EventsMissedEvent, traceId: string): EventFacts {
  return {
    traceId,
    status: 'Failure',
    protocol: 'MQTT',
    reason: 'EVENTS_MISSED',
    details: `${count} events ${of}`,
    missed: count,
    node,
  };
}

/** Of a success: nothing was refused. */
export function wouldDenyRecord(event: WouldDenyEvent, traceId: string): EventFacts {
  return { ...actionRecord(event, traceId), status: 'Success' };
}

export function authorizationModeRecord({ details }: AuthorizationModeEvent, traceId: string): EventFacts {
  return { traceId, status: 'Success', details: shorten(details) };
}

export function policyReloadRecord(event: PolicyReloadEvent, traceId: string): EventFacts {
  return {
    traceId,
    status: event.outcome === 'loaded' ? 'Success' : 'Failure',
    details: event.details,
    durationMs: event.durationMs === undefined ? undefined : round(event.durationMs),
    policyVersion: event.version,
    policies: event.policies,
    principals: event.principals,
    changes: event.changes,
  };
}

const CONNECTION_REASON = {
  ready: undefined,
  refused: 'BROKER_UNAVAILABLE',
  down: 'BROKER_UNAVAILABLE',
  pluginMissing: 'DELIVERY_PLUGIN_MISSING',
} as const satisfies Record<BrokerConnectionEvent['state'], Reason | undefined>;

export function brokerConnectionRecord(event: BrokerConnectionEvent, traceId: string): EventFacts {
  const reason = CONNECTION_REASON[event.state];
  return {
    traceId,
    status: reason === undefined ? 'Success' : 'Failure',
    protocol: 'MQTT',
    clientId: event.clientId,
    reason,
    details: event.details,
    broker: event.broker,
    state: event.state,
  };
}
