import type { Events, ServiceEvents } from '../observing/events.js';

export type Sink = Partial<Events> & Partial<ServiceEvents>;

/** Events for many listeners. */
export interface FanOut extends Events, ServiceEvents {
  /** Hands over what still waits. */
  flush(): void;
}

/**
 * Hands every event to every listener, after what is under way: the caller's answer is written first, and no listener
 * can fail it or another listener. What a listener throws goes to `failed`.
 */
export function createFanOut(sinks: readonly Sink[], failed: (error: unknown) => void): FanOut {
  let waiting: (() => void)[] = [];
  const flush = (): void => {
    const ready = waiting;
    waiting = [];
    for (const handOver of ready) handOver();
  };
  const later = (handOver: () => void): void => {
    if (waiting.push(handOver) === 1) setImmediate(flush);
  };
  const tell = (hand: (sink: Sink) => void): void => {
    later(() => {
      for (const sink of sinks) {
        try {
          hand(sink);
        } catch (error) {
          failed(error);
        }
      }
    });
  };
  return {
    directMessage: (event) => {
      tell((sink) => sink.directMessage?.(event));
    },
    connect: (event) => {
      tell((sink) => sink.connect?.(event));
    },
    disconnect: (event) => {
      tell((sink) => sink.disconnect?.(event));
    },
    subscribe: (event) => {
      tell((sink) => sink.subscribe?.(event));
    },
    publishIn: (event) => {
      tell((sink) => sink.publishIn?.(event));
    },
    unsubscribe: (event) => {
      tell((sink) => sink.unsubscribe?.(event));
    },
    publishOut: (event) => {
      tell((sink) => sink.publishOut?.(event));
    },
    operation: (event) => {
      tell((sink) => sink.operation?.(event));
    },
    lifecycle: (msg, fields) => {
      tell((sink) => sink.lifecycle?.(msg, fields));
    },
    fault: (msg, error) => {
      tell((sink) => sink.fault?.(msg, error));
    },
    policyReload: (event) => {
      tell((sink) => sink.policyReload?.(event));
    },
    brokerConnection: (event) => {
      tell((sink) => sink.brokerConnection?.(event));
    },
    flush,
  };
}
