import { ROOT_CONTEXT, SpanKind, TraceFlags, type Context, type Link, type Tracer } from '@opentelemetry/api';
import type { Reason } from '../../reasons.js';
import { newTraceId, parseTraceparent } from '../../observing/trace-id.js';
import type {
  HookCall,
  HookSpan,
  IncomingRequest,
  MessagePassage,
  MqttMessageOutcome,
  RequestSpan,
  Tracing,
} from '../../observing/tracing.js';
import {
  hookAttributes,
  httpMethod,
  MESSAGE_SPAN,
  messageAttributes,
  passageAttributes,
  requestAttributes,
} from './attributes.js';
import { rpcMethod } from './conventions.js';
import { Flights, type Flight } from './flights.js';
import type { PresetIds } from './preset-ids.js';
import {
  contextOf,
  DeferredHookSpan,
  finish,
  LiveHookSpan,
  LiveRequestSpan,
  remoteParent,
  type Begin,
} from './spans.js';
import { UnsampledSpan } from './unsampled.js';

const nothing = (): void => undefined;

/** Calls that have spans: those that decide. The others are only counted. */
const TRACED_CALLS = new Set(['OnClientAuthenticate', 'OnClientAuthorize']);

/** What a broker does with a message, in the words of the messaging conventions; a topic is no name of a span. */
const PASSAGES = {
  'Publish-In': { name: 'receive', kind: SpanKind.CONSUMER },
  'Publish-Out': { name: 'send', kind: SpanKind.PRODUCER },
  'Publish-Ack': { name: 'settle', kind: SpanKind.CLIENT },
  Dropped: { name: 'drop', kind: SpanKind.INTERNAL },
} as const;

export interface OtelTracingOptions {
  readonly tracer: Tracer;
  /** The id generator of the tracer's provider. */
  readonly ids: PresetIds;
}

/** Tracing by OpenTelemetry. Spans have their parents explicitly: no asynchronous context is kept, so none is paid for. */
export function createOtelTracing({ tracer, ids }: OtelTracingOptions): Tracing {
  const flights = new Flights();

  const begin: Begin = (name, options, under) => {
    if ('traceId' in under) return ids.with(under.traceId, () => tracer.startSpan(name, options, ROOT_CONTEXT));
    return tracer.startSpan(name, options, under);
  };

  function request(incoming: IncomingRequest): RequestSpan {
    const method = httpMethod(incoming.method);
    // Attributes come when they are wanted: no sampler that the environment can name looks at them.
    const span = tracer.startSpan(
      method,
      { kind: SpanKind.SERVER },
      remoteParent(incoming.traceparent, incoming.tracestate) ?? ROOT_CONTEXT,
    );
    if (!span.isRecording()) return new UnsampledSpan(span.spanContext(), flights);
    span.setAttributes(requestAttributes(incoming));
    return new LiveRequestSpan(span, tracer, flights, method);
  }

  function hookCall(call: HookCall): HookSpan {
    if (call.sends !== undefined) return sendsCall(call, call.sends);
    const near = call.receives === undefined ? [] : flights.to(call.receives);
    const [only] = near.length === 1 ? near : [];
    if (only !== undefined && only.context === undefined) return new DeferredHookSpan(only.traceId, call, only, begin);
    const traceId = only?.traceId ?? newTraceId();
    const unsampled = only?.context !== undefined && (only.context.traceFlags & TraceFlags.SAMPLED) === 0;
    if (unsampled || !TRACED_CALLS.has(call.name)) return { traceId, decided: nothing, refused: nothing, end: nothing };
    const links = near.length > 1 ? near.flatMap(({ context }): Link[] => (context ? [{ context }] : [])) : [];
    const span = begin(
      rpcMethod(call.generation, call.name),
      { kind: SpanKind.SERVER, attributes: hookAttributes(call), links },
      only?.context === undefined ? { traceId } : contextOf(only.context),
    );
    return new LiveHookSpan(span);
  }

  /** The message's own span is written when its outcome is known; until then this decision waits for it. */
  function sendsCall(call: HookCall, route: NonNullable<HookCall['sends']>): HookSpan {
    const { targetClientId, topic, senderClientId } = route;
    const flight: Flight = { targetClientId, topic, senderClientId, traceId: newTraceId(), authorizations: [] };
    const span = new DeferredHookSpan(flight.traceId, call, flight, begin);
    let refusal: Reason | undefined;
    return {
      traceId: flight.traceId,
      decided: (decision) => {
        span.decided(decision);
      },
      refused(reason) {
        refusal = reason;
        span.refused(reason);
      },
      end(outcome) {
        span.end(outcome);
        if (outcome === 'allow') flights.add(flight);
        // Of a message that was refused nothing more will be heard.
        else writeMessage(flight, undefined, { message: flight, durationMs: 0, ...(refusal && { reason: refusal }) });
      },
    };
  }

  function mqttMessage(outcome: MqttMessageOutcome): string {
    const flight = flights.takeReported(outcome.message, outcome.senderClientId);
    const parent = parseTraceparent(outcome.traceparent);
    const traceId = parent?.traceId ?? flight?.traceId ?? newTraceId();
    const known = flight ?? { ...outcome.message, traceId, authorizations: [] };
    writeMessage(known, remoteParent(outcome.traceparent), outcome);
    return traceId;
  }

  function writeMessage(
    flight: Flight,
    parent: Context | undefined,
    outcome: Pick<MqttMessageOutcome, 'message' | 'durationMs' | 'endedAt'> & { readonly reason?: Reason },
  ): void {
    const endedAt = outcome.endedAt ?? Date.now();
    const startTime = Math.min(
      endedAt - outcome.durationMs,
      ...flight.authorizations.map(({ startedAt }) => startedAt),
    );
    const span = begin(
      MESSAGE_SPAN,
      { kind: SpanKind.PRODUCER, attributes: messageAttributes(outcome.message, 'MQTT'), startTime },
      parent ?? flight,
    );
    if (span.isRecording()) for (const { write } of flight.authorizations) write(span.spanContext());
    if (outcome.reason === 'DELIVERED') span.addEvent('puback', endedAt);
    finish(span, outcome.reason);
    span.end(endedAt);
  }

  function ordinaryMessage(passage: MessagePassage): void {
    const { event, at, reason } = passage;
    const { name, kind } = PASSAGES[event];
    const options = { kind, attributes: passageAttributes(passage, name), startTime: at };
    const span = begin(name, options, remoteParent(passage.traceparent) ?? passage);
    finish(span, reason);
    span.end(at);
  }

  return { request, hookCall, mqttMessage, ordinaryMessage };
}
