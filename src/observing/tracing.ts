import type { Delivery } from '../direct/delivery.js';
import type { DirectAddress } from '../direct/topic.js';
import type { Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { DirectMessageEvent } from './events.js';
import { newSpanId, newTraceId, parseTraceparent } from './trace-id.js';

/**
 * Following one message through the service. No method throws, blocks or fails its caller; with tracing off, trace ids
 * are still made and handed on, so that answer and log share one.
 */
export interface Tracing {
  /** An HTTP request has come in. Its trace is the caller's where the caller has one, else a new one. */
  request(incoming: IncomingRequest): RequestSpan;
  /** The broker has called a hook. */
  hookCall(call: HookCall): HookSpan;
  /** A direct message through the MQTT door has its outcome. Answers its trace id. */
  mqttMessage(outcome: MqttMessageOutcome): string;
  /** An ordinary message has come into the broker, or left it, or was lost there. */
  ordinaryMessage(passage: MessagePassage): void;
}

/** Work under way, for those who do a part of it. */
export interface Trace {
  readonly traceId: string;
  /** W3C `traceparent` for whoever continues from here. */
  readonly traceparent: string;
  /** Begins a step of this work. */
  start(step: Step): Span;
  /** Begins work that only came with this one: a trace of its own, linked to this. */
  detach(name: string): Span;
}

/** Work under way, for whoever does all of it. It ends once; what comes after its end is ignored. */
export interface Span extends Trace {
  /** The decision that this step came to. */
  decided(decision: Decision): void;
  /** Something happened at this moment, for instance `puback`. */
  event(name: string): void;
  /** What became of the message that this step delivers. */
  delivered(delivery: Partial<Delivery>): void;
  /** Ends, with what became of it; a reason that is a failure makes it an error. */
  end(reason?: Reason): void;
}

export type Step = AuthorizeStep | DeliverStep;

/** May the sender send? */
export interface AuthorizeStep {
  readonly step: 'authorize';
}

/** The message is handed to the broker, until the broker answers. */
export interface DeliverStep {
  readonly step: 'deliver';
  readonly message: MessageFacts;
}

/** What a trace tells of a message: never the payload. */
export interface MessageFacts extends DirectAddress {
  readonly confirmation?: boolean | undefined;
  readonly payloadBytes?: number | undefined;
}

export interface IncomingRequest {
  /** As received; methods outside of RFC 9110 and PATCH are traced as `_OTHER`. */
  readonly method: string;
  readonly path: string;
  readonly scheme: 'http' | 'https';
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
  readonly sourceIp?: string | undefined;
  readonly sourcePort?: number | undefined;
}

export interface RequestSpan extends Trace {
  end(answer: RequestAnswer): void;
}

export interface RequestAnswer {
  /** Absent where the caller was gone before it was answered. */
  readonly status?: number | undefined;
  /** Path template of the operation; absent where no operation took the request. */
  readonly route?: string | undefined;
  readonly reason?: Reason | undefined;
}

export interface HookCall {
  readonly generation: 'v2' | 'v3';
  /** Name of the call in the HookProvider service, for instance `OnClientAuthorize`. */
  readonly name: string;
  /** Where the call asks whether a client may send a direct message: from whom, to whom. */
  readonly sends?: DirectAddress & { readonly senderClientId: string };
  /** Where the call asks whether a client may receive a direct message. */
  readonly receives?: DirectAddress;
}

/** Outcomes of a hook call: the values of the metric label. */
export const HOOK_OUTCOMES = ['allow', 'deny', 'done', 'failed'] as const;
/** A decision; `done` where there was nothing to decide; `failed` where something inside went wrong (and it denied). */
export type HookOutcome = (typeof HOOK_OUTCOMES)[number];

export interface HookSpan {
  readonly traceId: string;
  decided(decision: Decision): void;
  /** Why the answer is no. */
  refused(reason: Reason): void;
  end(outcome: HookOutcome): void;
}

export interface MqttMessageOutcome extends Pick<DirectMessageEvent, 'message' | 'reason' | 'durationMs' | 'endedAt'> {
  readonly senderClientId: string;
  /** `traceparent` of the sender, where it sent one as a user property. */
  readonly traceparent?: string | undefined;
}

/** One of the moments in the life of an ordinary message, which share its trace. */
export interface MessagePassage {
  readonly event: 'Publish-In' | 'Publish-Out' | 'Publish-Ack' | 'Dropped';
  readonly traceId: string;
  /** The publisher's own, where it sent one: the parent. */
  readonly traceparent?: string | undefined;
  /** By the broker's clock, in milliseconds since 1970. */
  readonly at: number;
  /** Of a publish the publisher, else the receiver. */
  readonly clientId?: string | undefined;
  readonly topicName: string;
  readonly qos: number;
  readonly payloadBytes: number;
  readonly reason?: Reason | undefined;
}

class UntracedSpan implements Span, RequestSpan, HookSpan {
  readonly traceId: string;
  readonly #incoming: string | undefined;
  #outgoing: string | undefined;

  constructor(incoming: string | undefined) {
    const parent = parseTraceparent(incoming);
    this.traceId = parent?.traceId ?? newTraceId();
    this.#incoming = parent && incoming;
  }

  /** The caller's own, since no span stands between; where it has none, one that says "not sampled". */
  get traceparent(): string {
    return this.#incoming ?? (this.#outgoing ??= `00-${this.traceId}-${newSpanId()}-00`);
  }

  start(): this {
    return this;
  }
  detach(): Span {
    return new UntracedSpan(undefined);
  }
  decided(): void {
    // Nobody follows.
  }
  refused(): void {
    // Nobody follows.
  }
  event(): void {
    // Nobody follows.
  }
  delivered(): void {
    // Nobody follows.
  }
  end(): void {
    // Nobody follows.
  }
}

/** No tracing: ids only. */
export const noTracing: Tracing = {
  request: ({ traceparent }) => new UntracedSpan(traceparent),
  hookCall: () => new UntracedSpan(undefined),
  mqttMessage: ({ traceparent }) => parseTraceparent(traceparent)?.traceId ?? newTraceId(),
  ordinaryMessage: () => undefined,
};
