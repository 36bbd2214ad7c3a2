import type { DirectDelivery } from '../direct/delivery.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { Metrics } from './metrics/metrics.js';
import type {
  HookCall,
  HookOutcome,
  HookSpan,
  IncomingRequest,
  RequestAnswer,
  RequestSpan,
  Span,
  Step,
  Tracing,
} from '../observing/tracing.js';

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** The same tracing; durations of requests and hook calls go to the metrics too. */
export function measureTracing(tracing: Tracing, metrics: Metrics): Tracing {
  return {
    request: (incoming) => new MeasuredRequest(incoming, tracing, metrics),
    hookCall: (call) => new MeasuredHookCall(call, tracing, metrics),
    mqttMessage: (outcome) => tracing.mqttMessage(outcome),
    ordinaryMessage: (passage) => {
      tracing.ordinaryMessage(passage);
    },
  };
}

class MeasuredRequest implements RequestSpan {
  readonly #started = performance.now();
  readonly #incoming: IncomingRequest;
  readonly #span: RequestSpan;
  readonly #metrics: Metrics;

  constructor(incoming: IncomingRequest, tracing: Tracing, metrics: Metrics) {
    this.#incoming = incoming;
    this.#span = tracing.request(incoming);
    this.#metrics = metrics;
  }

  get traceId(): string {
    return this.#span.traceId;
  }

  get traceparent(): string {
    return this.#span.traceparent;
  }

  start(step: Step): Span {
    return this.#span.start(step);
  }

  detach(name: string): Span {
    return this.#span.detach(name);
  }

  end(answer: RequestAnswer): void {
    this.#span.end(answer);
    this.#metrics.request(this.#incoming, answer, secondsSince(this.#started));
  }
}

class MeasuredHookCall implements HookSpan {
  readonly #started = performance.now();
  readonly #call: HookCall;
  readonly #span: HookSpan;
  readonly #metrics: Metrics;

  constructor(call: HookCall, tracing: Tracing, metrics: Metrics) {
    this.#call = call;
    this.#span = tracing.hookCall(call);
    this.#metrics = metrics;
  }

  get traceId(): string {
    return this.#span.traceId;
  }

  decided(decision: Decision): void {
    this.#span.decided(decision);
  }

  refused(reason: Reason): void {
    this.#span.refused(reason);
  }

  end(outcome: HookOutcome): void {
    this.#metrics.hookCall(this.#call, outcome, secondsSince(this.#started));
    this.#span.end(outcome);
  }
}

/** The same authorizer; every decision is counted, with the time that it took. */
export function measureAuthorizer(authorizer: Authorizer, metrics: Metrics): Authorizer {
  function measured(decide: () => Decision): Decision {
    const started = performance.now();
    const decision = decide();
    metrics.decision(decision, secondsSince(started));
    return decision;
  }
  return {
    connect: (...asked) => measured(() => authorizer.connect(...asked)),
    publish: (...asked) => measured(() => authorizer.publish(...asked)),
    subscribe: (...asked) => measured(() => authorizer.subscribe(...asked)),
    sendDirectMessage: (...asked) => measured(() => authorizer.sendDirectMessage(...asked)),
    receiveDirectMessage: (...asked) => measured(() => authorizer.receiveDirectMessage(...asked)),
    decide: (...asked) => measured(() => authorizer.decide(...asked)),
  };
}

/** The same delivery; what is under way and how long it took is counted. */
export function measureDelivery(delivery: DirectDelivery, metrics: Metrics): DirectDelivery {
  return {
    connected: (...asked) => delivery.connected(...asked),
    async deliver(message) {
      const started = performance.now();
      metrics.deliveryStarted();
      let reason: Reason = 'INTERNAL_ERROR';
      try {
        const outcome = await delivery.deliver(message);
        reason = outcome.reason;
        return outcome;
      } finally {
        metrics.deliveryEnded(reason, secondsSince(started));
      }
    },
  };
}
