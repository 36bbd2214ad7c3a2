import { DIRECT_FILTER } from '../direct/topic.js';
import { isReason, type Reason } from '../reasons.js';
import type { Entry } from './tap/entries.js';

/**
 * What became of a direct message that a client sent through MQTT. The broker tells it in an OnMessageDropped call, many
 * in one: a call costs far more than a report. Its drop reason is `OUTCOME_REPORTS`, its topic `OUTCOME_REPORTS_TOPIC`,
 * its payload a JSON array. The drop reason comes from the broker alone, so no client can write reports.
 */
export interface OutcomeReport {
  readonly reason: Reason;
  /** The direct topic, as the sender wrote it. */
  readonly topic: string;
  /** MQTT client ID of the sender. */
  readonly from: string;
  readonly username?: string | undefined;
  /** Address of the sender. */
  readonly peerhost?: string | undefined;
  /** From the sender's PUBLISH to the outcome, in milliseconds. */
  readonly durationMs: number;
  /** When it had its outcome, by the broker's clock, in milliseconds since 1970. */
  readonly endedAt: number;
  /** QoS at which the device was to receive it: 1 with confirmation, 0 without. */
  readonly qos?: number | undefined;
  /** Size of the payload; where the broker refused the sender before it saw one, absent. */
  readonly payloadBytes?: number | undefined;
  /** User property `traceparent` of the sender (W3C Trace Context). */
  readonly traceparent?: string | undefined;
  /** The rule that the message broke, where it was refused for one. */
  readonly details?: string | undefined;
}

/** Neither a reason of this project nor one for which a broker drops a message. */
export const OUTCOME_REPORTS = 'direct_message_outcomes';
/** Under the registered topic filter, and not a direct topic: it has no topic for the device. */
export const OUTCOME_REPORTS_TOPIC = DIRECT_FILTER.replace('#', 'outcomes');

/** Latest moment that a Date can hold, in milliseconds since 1970. */
const LATEST = 8.64e15;

/** One report, as it stands in the array. */
export function writeOutcomeReport(report: OutcomeReport): string {
  return JSON.stringify(report);
}

/** The payload of a call, of reports that are written already. */
export function joinOutcomeReports(written: readonly string[]): Buffer {
  return Buffer.from(`[${written.join()}]`);
}

/**
 * What a payload tells: outcomes, and entries with a type, which are events (`readBrokerEvent`); and how many entries of
 * it tell nothing. A payload that is no array counts as one.
 */
export function readReports(payload: Buffer): {
  readonly reports: OutcomeReport[];
  readonly events: Entry[];
  readonly unreadable: number;
} {
  const entries = arrayIn(payload);
  if (entries === undefined) return { reports: [], events: [], unreadable: 1 };
  const events = entries.filter(isEvent);
  const reports = events.length === entries.length ? [] : entries.filter(isReport);
  return { reports, events, unreadable: entries.length - events.length - reports.length };
}

function isEvent(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && 'type' in value;
}

function arrayIn(payload: Buffer): unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(payload.toString());
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** By hand: this is done for every direct message through MQTT. */
function isReport(value: unknown): value is OutcomeReport {
  if (typeof value !== 'object' || value === null || 'type' in value) return false;
  const entry = value as Partial<Record<keyof OutcomeReport, unknown>>;
  return (
    typeof entry.reason === 'string' &&
    isReason(entry.reason) &&
    typeof entry.topic === 'string' &&
    typeof entry.from === 'string' &&
    isTextOrAbsent(entry.username) &&
    isTextOrAbsent(entry.peerhost) &&
    isAmount(entry.durationMs) &&
    isAmount(entry.endedAt) &&
    entry.endedAt <= LATEST &&
    (entry.qos === undefined || entry.qos === 0 || entry.qos === 1 || entry.qos === 2) &&
    (entry.payloadBytes === undefined || isAmount(entry.payloadBytes)) &&
    isTextOrAbsent(entry.traceparent) &&
    isTextOrAbsent(entry.details)
  );
}

function isTextOrAbsent(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string';
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
