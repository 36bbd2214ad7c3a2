import type { Identity } from '../../identity/identity.js';
import type { Decision } from '../../policy/authorizer.js';
import { REASONS, type Reason } from '../../reasons.js';
import type {
  BrokerConnectionEvent,
  ClientEvent,
  DirectMessageEvent,
  OperationEvent,
  PolicyReloadEvent,
} from '../events.js';
import { newTraceId } from '../trace-id.js';
import { brokerWord, disconnectReason, type DisconnectReason } from './disconnect-reasons.js';

/**
 * One line of the log, without timestamp, logLevel and accountId, which are the same for all. Field names are those of
 * AWS IoT's CloudWatch logs, and after them what AWS lacks. docs/telemetry.md describes each. A field without a value
 * is absent from the line. No payload and no secret ever gets here.
 */
export interface LogRecord {
  readonly traceId: string;
  readonly status: 'Success' | 'Failure';
  readonly eventType: string;
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
  readonly policy?: string | undefined;
  readonly statement?: string | undefined;
  /** Of a denial only: what was asked, as `tightbeam policy explain` wants it, and why it was denied. */
  readonly action?: string | undefined;
  readonly resource?: string | undefined;
  readonly cause?: Decision['cause'] | undefined;
  readonly policyVersion?: string | undefined;
  readonly policies?: number | undefined;
  readonly principals?: number | undefined;
  readonly broker?: string | undefined;
}

/** The principal that stands for the caller; where none does, the name of the credential that was verified. */
function principalId(identity: Identity | undefined, decision: Decision | undefined): string | undefined {
  return (
    decision?.principalId ??
    identity?.certificate?.commonName ??
    identity?.accessKeyId ??
    identity?.jwtSubject ??
    identity?.username
  );
}

function caller(identity: Identity | undefined, decision: Decision | undefined) {
  return {
    protocol: identity?.protocol,
    clientId: identity?.clientId,
    principalId: principalId(identity, decision),
    sourceIp: identity?.sourceIp,
    sourcePort: identity?.sourcePort,
  };
}

function deciding(decision: Decision | undefined) {
  if (decision === undefined) return undefined;
  const { effect, policy, statement, action, resource, cause } = decision;
  return effect === 'allow' ? { policy, statement } : { policy, statement, action, resource, cause };
}

/** What the event says of itself, and what went wrong while its decision was made. */
function details(text: string | undefined, decision: Decision | undefined): string | undefined {
  if (decision === undefined || decision.errors.length === 0) return text;
  return [...(text === undefined ? [] : [text]), ...decision.errors].join('; ');
}

const round = (milliseconds: number): number => Math.round(milliseconds * 1000) / 1000;

export function directMessageRecord(event: DirectMessageEvent): LogRecord {
  const { message, decision } = event;
  return {
    traceId: event.traceId,
    status: REASONS[event.reason].status,
    eventType: 'SendDirectMessage',
    ...caller(event.sender, decision),
    topicName: message.topic,
    targetClientId: message.targetClientId,
    reason: event.reason,
    details: details(event.details, decision),
    durationMs: round(event.durationMs),
    qos: message.confirmation === undefined ? undefined : message.confirmation ? 1 : 0,
    payloadBytes: message.payloadBytes,
    ...deciding(decision),
  };
}

export function clientRecord(eventType: string, event: ClientEvent & { readonly topicName?: string }): LogRecord {
  const { decision } = event;
  return {
    traceId: event.traceId ?? newTraceId(),
    status: event.reason === undefined ? 'Success' : 'Failure',
    eventType,
    ...caller(event.identity, decision),
    topicName: event.topicName,
    reason: event.reason,
    details: details(event.details, decision),
    qos: event.qos,
    payloadBytes: event.payloadBytes,
    ...deciding(decision),
  };
}

export function disconnectRecord(event: ClientEvent & { readonly disconnectReason: string }): LogRecord {
  return {
    ...clientRecord('Disconnect', event),
    details: event.details ?? brokerWord(event.disconnectReason),
    disconnectReason: disconnectReason(event.disconnectReason),
  };
}

export function operationRecord(event: OperationEvent): LogRecord {
  const { identity, decision } = event;
  return {
    traceId: event.traceId,
    status: event.reason === undefined ? 'Success' : REASONS[event.reason].status,
    eventType: event.eventType,
    ...caller(identity, decision),
    clientId: event.clientId ?? identity?.clientId,
    topicName: event.topicName,
    reason: event.reason,
    details: details(event.details, decision),
    durationMs: event.durationMs === undefined ? undefined : round(event.durationMs),
    ...deciding(decision),
  };
}

export function policyReloadRecord(event: PolicyReloadEvent): LogRecord {
  return {
    traceId: newTraceId(),
    status: event.outcome === 'loaded' ? 'Success' : 'Failure',
    eventType: 'PolicyReload',
    details: event.details,
    durationMs: event.durationMs === undefined ? undefined : round(event.durationMs),
    policyVersion: event.version,
    policies: event.policies,
    principals: event.principals,
  };
}

const CONNECTION_REASON = {
  ready: undefined,
  refused: 'BROKER_UNAVAILABLE',
  down: 'BROKER_UNAVAILABLE',
  pluginMissing: 'DELIVERY_PLUGIN_MISSING',
} as const satisfies Record<BrokerConnectionEvent['state'], Reason | undefined>;

export function brokerConnectionRecord(event: BrokerConnectionEvent): LogRecord {
  const reason = CONNECTION_REASON[event.state];
  return {
    traceId: newTraceId(),
    status: reason === undefined ? 'Success' : 'Failure',
    eventType: 'BrokerConnection',
    protocol: 'MQTT',
    clientId: event.clientId,
    reason,
    details: event.details,
    broker: event.broker,
  };
}
