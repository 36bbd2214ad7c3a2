import { TraceFlags, type SpanContext } from '@opentelemetry/api';
import { formatTraceparent, newSpanId, newTraceId } from '../../observing/trace-id.js';
import type { RequestSpan, Span, Step } from '../../observing/tracing.js';
import type { Flight, Flights } from './flights.js';

/**
 * A request that is not sampled, and each of its steps: it has ids, and what is not sampled is not sampled further down.
 * Most requests are of this kind, so it builds nothing; only a message under way is kept findable.
 */
export class UnsampledSpan implements Span, RequestSpan {
  readonly #context: SpanContext;
  readonly #flights: Flights;

  constructor(context: SpanContext, flights: Flights) {
    this.#context = context;
    this.#flights = flights;
  }

  get traceId(): string {
    return this.#context.traceId;
  }

  get traceparent(): string {
    return formatTraceparent(this.#context);
  }

  start(step: Step): Span {
    if (step.step !== 'deliver') return this;
    return new UnsampledDelivery(this.#context, this.#flights, this.#flights.depart(step.message, this.#context));
  }

  detach(): Span {
    const ids = { traceId: newTraceId(), spanId: newSpanId() };
    return new UnsampledSpan({ ...ids, traceFlags: TraceFlags.NONE }, this.#flights);
  }

  decided(): void {
    // Nobody will see it.
  }
  event(): void {
    // Nobody will see it.
  }
  delivered(): void {
    // Nobody will see it.
  }
  end(): void {
    // Nobody will see it.
  }
}

class UnsampledDelivery extends UnsampledSpan {
  readonly #flights: Flights;
  readonly #flight: Flight;

  constructor(context: SpanContext, flights: Flights, flight: Flight) {
    super(context, flights);
    this.#flights = flights;
    this.#flight = flight;
  }

  override end(): void {
    this.#flights.remove(this.#flight);
  }
}
