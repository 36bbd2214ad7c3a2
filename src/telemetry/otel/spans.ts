import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Context,
  type Span as OtelSpan,
  type SpanContext,
  type SpanOptions,
  type Tracer,
} from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_HTTP_RESPONSE_STATUS_CODE, ATTR_HTTP_ROUTE } from '@opentelemetry/semantic-conventions';
import type { Delivery } from '../../direct/delivery.js';
import type { Decision } from '../../policy/authorizer.js';
import { REASONS, type Reason } from '../../reasons.js';
import { formatTraceparent, parseTraceparent } from '../../observing/trace-id.js';
import type {
  HookCall,
  HookOutcome,
  HookSpan,
  RequestAnswer,
  RequestSpan,
  Span,
  Step,
} from '../../observing/tracing.js';
import {
  decisionAttributes,
  deliveryAttributes,
  hookAttributes,
  MESSAGE_SPAN,
  messageAttributes,
} from './attributes.js';
import { Own, rpcMethod } from './conventions.js';
import type { Flight, Flights } from './flights.js';
import { UnsampledSpan } from './unsampled.js';

/** Starts a span below a parent, or as the root of a trace whose id has been given out. */
export type Begin = (name: string, options: SpanOptions, under: Context | { readonly traceId: string }) => OtelSpan;

export function contextOf(context: SpanContext): Context {
  return trace.setSpanContext(ROOT_CONTEXT, context);
}

export function remoteParent(traceparent: string | undefined, tracestate?: string): Context | undefined {
  const parent = parseTraceparent(traceparent);
  if (parent === undefined) return undefined;
  return contextOf({
    traceId: parent.traceId,
    spanId: parent.spanId,
    traceFlags: parent.sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
  });
}

/** The reason as attribute; a failure makes the span an error. */
export function finish(span: OtelSpan, reason: Reason | undefined): void {
  if (reason === undefined) return;
  span.setAttribute(Own.Reason, reason);
  if (REASONS[reason].status === 'Success') return;
  span.setAttribute(ATTR_ERROR_TYPE, reason);
  span.setStatus({ code: SpanStatusCode.ERROR, message: REASONS[reason].message });
}

export class LiveSpan {
  readonly traceId: string;
  protected readonly span: OtelSpan;
  readonly #tracer: Tracer;
  protected readonly flights: Flights;

  constructor(span: OtelSpan, tracer: Tracer, flights: Flights) {
    this.span = span;
    this.#tracer = tracer;
    this.flights = flights;
    this.traceId = span.spanContext().traceId;
  }

  get traceparent(): string {
    return formatTraceparent(this.span.spanContext());
  }

  start(step: Step): Span {
    const parent = this.span.spanContext();
    if (step.step === 'authorize') {
      const options = { kind: SpanKind.INTERNAL, attributes: { [Own.Role]: 'sender' } };
      const span = this.#tracer.startSpan('authorize', options, contextOf(parent));
      return new LiveStepSpan(span, this.#tracer, this.flights);
    }
    const options = { kind: SpanKind.PRODUCER, attributes: messageAttributes(step.message, 'HTTP') };
    const span = this.#tracer.startSpan(MESSAGE_SPAN, options, contextOf(parent));
    const flight = this.flights.depart(step.message, span.spanContext());
    return new LiveStepSpan(span, this.#tracer, this.flights, flight);
  }

  detach(name: string): Span {
    const links = [{ context: this.span.spanContext() }];
    const span = this.#tracer.startSpan(name, { kind: SpanKind.INTERNAL, links, root: true }, ROOT_CONTEXT);
    if (!span.isRecording()) return new UnsampledSpan(span.spanContext(), this.flights);
    return new LiveStepSpan(span, this.#tracer, this.flights);
  }

  decided(decision: Decision): void {
    this.span.setAttributes(decisionAttributes(decision));
  }

  event(name: string): void {
    this.span.addEvent(name);
  }

  delivered(delivery: Partial<Delivery>): void {
    this.span.setAttributes(deliveryAttributes(delivery));
    const { firstTraceId: traceId, firstSpanId: spanId } = delivery;
    if (traceId === undefined || spanId === undefined) return;
    // To the attempt whose outcome this is, which may have been another replica's.
    this.span.addLink({ context: { traceId, spanId, traceFlags: TraceFlags.SAMPLED, isRemote: true } });
  }
}

class LiveStepSpan extends LiveSpan implements Span {
  readonly #flight: Flight | undefined;

  /** @param flight the message that this step delivers */
  constructor(span: OtelSpan, tracer: Tracer, flights: Flights, flight?: Flight) {
    super(span, tracer, flights);
    this.#flight = flight;
  }

  end(reason?: Reason): void {
    if (this.#flight !== undefined) this.flights.remove(this.#flight);
    finish(this.span, reason);
    this.span.end();
  }
}

export class LiveRequestSpan extends LiveSpan implements RequestSpan {
  readonly #method: string;

  constructor(span: OtelSpan, tracer: Tracer, flights: Flights, method: string) {
    super(span, tracer, flights);
    this.#method = method;
  }

  end({ status, route, reason }: RequestAnswer): void {
    if (status !== undefined) this.span.setAttribute(ATTR_HTTP_RESPONSE_STATUS_CODE, status);
    if (route !== undefined) {
      this.span.setAttribute(ATTR_HTTP_ROUTE, route);
      this.span.updateName(`${this.#method} ${route}`);
    }
    // OpenTelemetry's conventions for HTTP spans: what is the caller's fault is no error of the server.
    if (reason !== undefined && status !== undefined && status < 500) this.span.setAttribute(Own.Reason, reason);
    else finish(this.span, reason);
    this.span.end();
  }
}

export class LiveHookSpan implements HookSpan {
  readonly traceId: string;
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    this.#span = span;
    this.traceId = span.spanContext().traceId;
  }

  decided(decision: Decision): void {
    this.#span.setAttributes(decisionAttributes(decision));
  }

  refused(reason: Reason): void {
    finish(this.#span, reason);
  }

  end(outcome: HookOutcome): void {
    this.#span.setAttribute(Own.Outcome, outcome);
    this.#span.end();
  }
}

/** A hook call whose span is written later, with the times that it had, below the span of its message. */
export class DeferredHookSpan implements HookSpan {
  readonly traceId: string;
  readonly #call: HookCall;
  readonly #flight: Flight;
  readonly #begin: Begin;
  readonly #startedAt = Date.now();
  readonly #started = performance.now();
  #decision: Decision | undefined;
  #reason: Reason | undefined;

  constructor(traceId: string, call: HookCall, flight: Flight, begin: Begin) {
    this.traceId = traceId;
    this.#call = call;
    this.#flight = flight;
    this.#begin = begin;
  }

  decided(decision: Decision): void {
    this.#decision = decision;
  }

  refused(reason: Reason): void {
    this.#reason = reason;
  }

  end(outcome: HookOutcome): void {
    const endedAt = this.#startedAt + (performance.now() - this.#started);
    const { generation, name } = this.#call;
    this.#flight.authorizations.push({
      startedAt: this.#startedAt,
      write: (parent) => {
        const attributes = {
          ...hookAttributes(this.#call),
          ...(this.#decision && decisionAttributes(this.#decision)),
          [Own.Outcome]: outcome,
        };
        const span = this.#begin(
          rpcMethod(generation, name),
          { kind: SpanKind.SERVER, attributes, startTime: this.#startedAt },
          contextOf(parent),
        );
        finish(span, this.#reason);
        span.end(endedAt);
      },
    });
  }
}
