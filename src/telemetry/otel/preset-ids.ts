import type { IdGenerator } from '@opentelemetry/sdk-trace-base';
import { newSpanId, newTraceId } from '../../observing/trace-id.js';

/**
 * Makes ids, and lets a root span have a trace id that was given out before the span began: a log line can be written
 * while it is still open whether a span follows.
 */
export class PresetIds implements IdGenerator {
  #next: string | undefined;

  /** Runs `start`, which starts one root span, so that the span has this trace id. */
  with<T>(traceId: string, start: () => T): T {
    this.#next = traceId;
    try {
      return start();
    } finally {
      this.#next = undefined;
    }
  }

  generateTraceId(): string {
    return this.#next ?? newTraceId();
  }

  generateSpanId(): string {
    return newSpanId();
  }
}
