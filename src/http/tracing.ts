import { randomBytes } from 'node:crypto';

/** Port to tracing, as far as answering needs it. */
export interface Tracing {
  /**
   * The trace ID (32 lower-case hexadecimal digits, not all zero) of a request: that of its W3C `traceparent` header
   * where it has a valid one, else a new one.
   */
  traceIdOf(traceparent: string | undefined): string;
}

/** Trace IDs without a tracer: the answer and the log still share one. */
export const plainTracing: Tracing = {
  traceIdOf(traceparent) {
    // W3C Trace Context, section 3.2.2: version "ff" is invalid, later versions may append fields.
    const match = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(
      traceparent ?? '',
    );
    return match?.[1] ?? randomBytes(16).toString('hex');
  },
};
