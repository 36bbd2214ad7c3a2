import type { Identity } from '../identity/identity.js';
import type { ActionEvent, ConnectionFacts, Traffic } from '../observing/events.js';
import { newTraceId, parseTraceparent } from '../observing/trace-id.js';
import type { MessagePassage } from '../observing/tracing.js';
import type { Reason } from '../reasons.js';
import { recordConnected } from './connect.js';
import { isService, type ClientContext } from './context.js';
import { heeded } from './enforcement.js';

/**
 * What a broker tells of that has happened, by its own clock and in the order in which it happened to each client. It is
 * told after the fact: nothing here can be refused any more.
 */
export type BrokerEvent =
  | (OfClient & { readonly type: 'Connect'; readonly connection: ConnectionFacts; readonly refused?: Refusal })
  | (OfClient & { readonly type: 'Disconnect'; readonly reason: string; readonly durationMs?: number | undefined })
  | (OfClient & { readonly type: 'Subscribe'; readonly topicName: string; readonly qos?: number | undefined })
  | (OfClient & { readonly type: 'Unsubscribe'; readonly topicName: string })
  | (OfClient & MessageFacts & { readonly type: 'Publish-In' | 'Publish-Out' })
  | (OfClient & MessageFacts & { readonly type: 'Publish-Ack'; readonly code?: number | undefined })
  | (OfClient & MessageFacts & { readonly type: 'Dropped'; readonly reason: string })
  | (OfClient & DeniedFacts & { readonly type: 'Denied' })
  | (OfClient & { readonly type: 'Session'; readonly outcome: 'resumed' | 'expired' })
  | { readonly type: 'Missed'; readonly at: number; readonly of: string; readonly count: number; readonly node: string }
  | ({ readonly type: 'Count'; readonly at: number } & Traffic);

interface OfClient {
  /** When it happened, by the broker's clock, in milliseconds since 1970. */
  readonly at: number;
  /** The client that it is about: of a delivery, the receiver. */
  readonly identity: Identity;
}

interface MessageFacts {
  readonly topicName: string;
  readonly qos: number;
  readonly retain: boolean;
  readonly payloadBytes: number;
  /** The publisher's own `traceparent`; else the trace that the broker's message ID stands for. */
  readonly traceparent?: string | undefined;
  readonly traceId?: string | undefined;
}

interface DeniedFacts {
  readonly action: 'publish' | 'subscribe';
  readonly topicName: string;
  readonly qos?: number | undefined;
  readonly retain?: boolean | undefined;
  /** What in the broker remembered or made the decision, for instance `cache`. */
  readonly by: string;
}

interface Refusal {
  /** The broker's name of the CONNACK's reason code. */
  readonly code: string;
  /** Who refused: the hook provider, the guard in its absence, or the broker. */
  readonly by: string;
}

/** Tells one event in the log and the metrics. What the service did itself, it has told already. */
export function tellBrokerEvent(event: BrokerEvent, context: ClientContext): void {
  const { events } = context;
  if (event.type === 'Missed') {
    const { of, count, node, at } = event;
    events.tell('EventsMissed', { of, count, node, endedAt: at });
    return;
  }
  if (event.type === 'Count') {
    context.traffic(event);
    return;
  }
  const { identity, at: endedAt } = event;
  if (isService(identity, context)) return;
  switch (event.type) {
    case 'Connect':
      tellConnect(event, context);
      break;
    case 'Disconnect':
      events.tell('Disconnect', {
        identity,
        principalId: context.principalOf(identity),
        endedAt,
        disconnectReason: event.reason,
        durationMs: event.durationMs,
      });
      break;
    case 'Subscribe': {
      const { topicName, qos } = event;
      const decision = heeded(context.authorizer.subscribe(identity, topicName), context);
      events.tell('Subscribe', { identity, endedAt, topicName, qos, decision });
      break;
    }
    case 'Unsubscribe':
      events.tell('Unsubscribe', { identity, endedAt, topicName: event.topicName });
      break;
    case 'Session':
      events.tell('Session', { identity, principalId: context.principalOf(identity), endedAt, details: event.outcome });
      break;
    case 'Denied': {
      const { topicName, qos, retain, by } = event;
      const details = `Decided by the broker: ${by}.`;
      if (event.action === 'publish') {
        events.tell('Publish-In', {
          identity,
          endedAt,
          topicName,
          qos,
          retain,
          reason: 'PUBLISH_NOT_AUTHORIZED',
          details,
        });
      } else {
        events.tell('Subscribe', { identity, endedAt, topicName, qos, reason: 'SUBSCRIBE_NOT_AUTHORIZED', details });
      }
      break;
    }
    case 'Dropped': {
      const { topicName, qos, retain, payloadBytes } = event;
      const reason = DROPPED[event.reason] ?? 'MESSAGE_DROPPED';
      const details = reason === 'MESSAGE_DROPPED' ? event.reason : undefined;
      const traceId = traceOf(event, reason, context);
      events.tell('Dropped', { identity, endedAt, traceId, topicName, qos, retain, payloadBytes, reason, details });
      break;
    }
    case 'Publish-In':
    case 'Publish-Out':
    case 'Publish-Ack': {
      const { topicName, qos, retain, payloadBytes } = event;
      const refusal = event.type === 'Publish-Ack' ? refusalOf(event.code) : NO_REFUSAL;
      const traceId = traceOf(event, refusal.reason, context);
      events.tell(event.type, { identity, endedAt, traceId, topicName, qos, retain, payloadBytes, ...refusal });
    }
  }
}

/** By the word of the broker. */
const DROPPED: Readonly<Record<string, Reason>> = {
  queue_full: 'RECEIVER_QUEUE_FULL',
  expired: 'MESSAGE_EXPIRED',
  no_subscribers: 'NO_SUBSCRIBERS',
};

function tellConnect(event: BrokerEvent & { readonly type: 'Connect' }, context: ClientContext): void {
  const { identity, connection, refused, at: endedAt } = event;
  if (refused === undefined) {
    recordConnected({ identity, connection, endedAt }, context);
  } else if (refused.by !== 'provider') {
    const details = `${refused.code}, refused by the ${refused.by}`;
    context.events.tell('Connect', { identity, endedAt, connection, reason: 'CONNECT_REFUSED', details });
  }
}

type Refused = Pick<ActionEvent, 'reason' | 'details'>;

const NO_REFUSAL: Refused = {};

/** A client's PUBACK may say no, where the broker tells it (MQTT 5, section 3.4.2.1). */
function refusalOf(code: number | undefined): Refused {
  if (code === undefined || code < 0x80) return NO_REFUSAL;
  return { reason: 'RECEIVER_REJECTED', details: `The client answered 0x${code.toString(16)}.` };
}

/** The trace of a message, to which a span of this moment is added. A `traceparent` that is none counts for nothing. */
function traceOf(
  event: OfClient & MessageFacts & { readonly type: MessagePassage['event'] },
  reason: Reason | undefined,
  { tracing }: ClientContext,
): string {
  const { type, at, identity, topicName, qos, payloadBytes, traceparent } = event;
  const traceId = event.traceId ?? parseTraceparent(traceparent)?.traceId ?? newTraceId();
  const { clientId } = identity;
  tracing.ordinaryMessage({ event: type, traceId, traceparent, at, clientId, topicName, qos, payloadBytes, reason });
  return traceId;
}
