import type { BrokerEvent } from '../../clients/broker-events.js';
import type { Identity } from '../../identity/identity.js';
import type { ConnectionFacts, Traffic } from '../../observing/events.js';
import { identityOf } from '../normalise.js';

/** An entry of a report that is an event: it has a type; the outcome of a direct message has none. */
export type Entry = Readonly<Partial<Record<Member, unknown>>>;

type Member =
  | 'type'
  | 'at'
  // The client: named as in ExHook's ClientInfo.
  | 'clientid'
  | 'username'
  | 'peerhost'
  | 'peerport'
  | 'cn'
  | 'dn'
  // Connect and Disconnect.
  | 'protoVer'
  | 'cleanStart'
  | 'expiryMs'
  | 'keepAlive'
  | 'socket'
  | 'will'
  | 'willTopic'
  | 'outcome'
  | 'by'
  | 'reason'
  | 'durationMs'
  // Messages and subscriptions.
  | 'topic'
  | 'qos'
  | 'retain'
  | 'payloadBytes'
  | 'traceparent'
  | 'traceId'
  | 'action'
  | 'code'
  // Missed and Count.
  | 'of'
  | 'count'
  | 'what'
  | 'direction'
  | 'group';

/** What an entry tells; undefined where it tells nothing that is known. By hand: this is done for every message. */
export function readBrokerEvent(entry: Entry, node: string): BrokerEvent | undefined {
  const { at } = entry;
  if (!isAmount(at) || at > LATEST) return undefined;
  if (entry.type === 'Missed') {
    const { of, count } = entry;
    return isText(of) && isAmount(count) ? { type: 'Missed', at, of, count, node } : undefined;
  }
  if (entry.type === 'Count') return readCount(entry, at);
  if (!isText(entry.clientid)) return undefined;
  return readOfClient(entry, at, identityIn(entry, entry.clientid));
}

function readOfClient(entry: Entry, at: number, identity: Identity): BrokerEvent | undefined {
  const { type } = entry;
  switch (type) {
    case 'Publish-In':
    case 'Publish-Out':
    case 'Publish-Ack':
    case 'Dropped': {
      const { topic: topicName, qos, payloadBytes } = entry;
      if (!isText(topicName) || !isAmount(qos) || !isAmount(payloadBytes)) return undefined;
      const retain = entry.retain === true;
      const traceparent = textOf(entry.traceparent);
      const traceId = isText(entry.traceId) && TRACE_ID.test(entry.traceId) ? entry.traceId : undefined;
      const message = { at, identity, topicName, qos, retain, payloadBytes, traceparent, traceId };
      if (type === 'Publish-Ack') return { type, ...message, code: amountOf(entry.code) };
      if (type !== 'Dropped') return { type, ...message };
      const { reason } = entry;
      if (!isText(reason)) return undefined;
      return { type, ...message, reason };
    }
    case 'Connect': {
      const connection = connectionIn(entry);
      const { outcome: code, by } = entry;
      if (code === 'accepted') return { type, at, identity, connection };
      return isText(code) && isText(by) ? { type, at, identity, connection, refused: { code, by } } : undefined;
    }
    case 'Disconnect':
      return isText(entry.reason)
        ? { type, at, identity, reason: entry.reason, durationMs: amountOf(entry.durationMs) }
        : undefined;
    case 'Subscribe':
      return isText(entry.topic) ? { type, at, identity, topicName: entry.topic, qos: amountOf(entry.qos) } : undefined;
    case 'Unsubscribe':
      return isText(entry.topic) ? { type, at, identity, topicName: entry.topic } : undefined;
    case 'Denied': {
      const { action, topic: topicName, by } = entry;
      if ((action !== 'publish' && action !== 'subscribe') || !isText(topicName) || !isText(by)) return undefined;
      return { type, at, identity, action, topicName, by, qos: amountOf(entry.qos), retain: flagOf(entry.retain) };
    }
    case 'Session':
      return entry.outcome === 'resumed' || entry.outcome === 'expired'
        ? { type, at, identity, outcome: entry.outcome }
        : undefined;
    default:
      return undefined;
  }
}

function readCount(entry: Entry, at: number): BrokerEvent | undefined {
  const { what, count, group, outcome, reason, direction, qos } = entry;
  if (!isAmount(count)) return undefined;
  let traffic: Traffic | undefined;
  if (what === 'message' && isText(direction) && isAmount(qos) && isText(group)) {
    traffic = { what, direction, qos, group, count };
  } else if (what === 'dropped' && isText(reason) && isText(group)) traffic = { what, reason, group, count };
  else if ((what === 'connect' || what === 'session') && isText(outcome)) traffic = { what, outcome, count };
  else if (what === 'disconnect') traffic = { what, count };
  return traffic && { type: 'Count', at, ...traffic };
}

/** The names are those of ExHook's ClientInfo, where what is empty was not given. */
function identityIn(entry: Entry, clientid: string): Identity {
  return identityOf({
    clientid,
    username: textOf(entry.username) ?? '',
    peerhost: textOf(entry.peerhost) ?? '',
    peerport: amountOf(entry.peerport) ?? 0,
    cn: textOf(entry.cn) ?? '',
    dn: textOf(entry.dn) ?? '',
  });
}

/** The broker's longest session expiry stands for ever (MQTT 5, section 3.1.2.11.2), as a number of seconds. */
function connectionIn(entry: Entry): ConnectionFacts {
  const expiryMs = amountOf(entry.expiryMs);
  return {
    protocolVersion: amountOf(entry.protoVer),
    cleanStart: flagOf(entry.cleanStart),
    sessionExpirySeconds: expiryMs === undefined ? undefined : Math.round(expiryMs / 1000),
    keepAliveSeconds: amountOf(entry.keepAlive),
    willTopic: entry.will === false ? null : textOf(entry.willTopic),
  };
}

/** Latest moment that a Date can hold, in milliseconds since 1970. */
const LATEST = 8.64e15;
const TRACE_ID = /^(?!0{32})[0-9a-f]{32}$/;

const isText = (value: unknown): value is string => typeof value === 'string';
const textOf = (value: unknown): string | undefined => (isText(value) ? value : undefined);
const flagOf = (value: unknown): boolean | undefined => (typeof value === 'boolean' ? value : undefined);
const isAmount = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const amountOf = (value: unknown): number | undefined => (isAmount(value) ? value : undefined);
