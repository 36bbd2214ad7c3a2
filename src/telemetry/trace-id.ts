import { randomBytes } from 'node:crypto';

/** A new trace ID: 32 hexadecimal digits (W3C Trace Context, `trace-id`). */
export function newTraceId(): string {
  return randomBytes(16).toString('hex');
}

/** The trace ID of a `traceparent`, or undefined where it is not one. */
export function traceIdOf(traceparent: string): string | undefined {
  return /^[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(traceparent)?.[1];
}
