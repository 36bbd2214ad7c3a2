import type { DirectDelivery } from '../direct/delivery.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { Metrics } from './metrics/metrics.js';
import type { Tracing } from './tracing.js';

const secondsSince = (started: number): number => (performance.now() - started) / 1000;

/** The same tracing; durations of requests and hook calls go to the metrics too. */
export function measureTracing(tracing: Tracing, metrics: Metrics): Tracing {
  return {
    request(incoming) {
      const started = performance.now();
      const span = tracing.request(incoming);
      return {
        traceId: span.traceId,
        get traceparent() {
          return span.traceparent;
        },
        start: (step) => span.start(step),
        end(answer) {
          span.end(answer);
          metrics.request(incoming, answer, secondsSince(started));
        },
      };
    },
    hookCall(call) {
      const started = performance.now();
      const span = tracing.hookCall(call);
      return {
        traceId: span.traceId,
        decided: (decision) => {
          span.decided(decision);
        },
        refused: (reason) => {
          span.refused(reason);
        },
        end(outcome) {
          metrics.hookCall(call, outcome, secondsSince(started));
          span.end(outcome);
        },
      };
    },
    mqttMessage: (outcome) => tracing.mqttMessage(outcome),
  };
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
    async deliver(message) {
      const started = performance.now();
      metrics.deliveryStarted();
      let reason: Reason = 'INTERNAL_ERROR';
      try {
        return (reason = await delivery.deliver(message));
      } finally {
        metrics.deliveryEnded(reason, secondsSince(started));
      }
    },
  };
}
