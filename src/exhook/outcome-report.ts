import { z } from 'zod';
import { isReason, type Reason } from '../reasons.js';

/**
 * What became of a direct message that a client sent through MQTT. The broker tells it in an OnMessageDropped call on
 * the direct topic: the reason of that call is the reason, and this stands in the place of the payload, as JSON.
 */
export interface OutcomeReport {
  readonly reason: Reason;
  /** From the sender's PUBLISH to the outcome, in milliseconds. */
  readonly durationMs: number;
  /** QoS at which the device was to receive it: 1 with confirmation, 0 without. */
  readonly qos: number;
  /** Size of the payload that it was. */
  readonly payloadBytes: number;
  /** User property `traceparent` of the sender (W3C Trace Context). */
  readonly traceparent?: string | undefined;
}

const schema = z.object({
  durationMs: z.number().nonnegative(),
  qos: z.number().int().min(0).max(2),
  payloadBytes: z.number().int().nonnegative(),
  traceparent: z.string().optional(),
});

export function writeOutcomeReport(report: OutcomeReport): Buffer {
  return Buffer.from(JSON.stringify(report));
}

/** The report in a dropped message, or undefined where it is none. */
export function readOutcomeReport(dropReason: string, payload: Buffer): OutcomeReport | undefined {
  if (!isReason(dropReason)) return undefined;
  try {
    const parsed = schema.safeParse(JSON.parse(payload.toString()));
    return parsed.success ? { reason: dropReason, ...parsed.data } : undefined;
  } catch {
    return undefined;
  }
}
