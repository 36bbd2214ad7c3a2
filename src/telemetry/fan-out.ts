import { type EventOf, type Events, type EventType } from '../observing/events.js';

/** Events for many listeners. */
export interface FanOut extends Events {
  /** Does something in its turn after the events told before. */
  later(task: () => void): void;
  /** Hands over what still waits. */
  flush(): void;
}

/**
 * Hands every event to every listener, after what is under way: the caller's answer is written first, and no listener
 * can fail it or another listener. What a listener throws goes to `failed`.
 */
export function createFanOut(listeners: readonly Events[], failed: (error: unknown) => void): FanOut {
  let waiting: (() => void)[] = [];
  const attempt = (task: () => void): void => {
    try {
      task();
    } catch (error) {
      failed(error);
    }
  };
  const flush = (): void => {
    const ready = waiting;
    waiting = [];
    for (const task of ready) attempt(task);
  };
  const later = (task: () => void): void => {
    if (waiting.push(task) === 1) setImmediate(flush);
  };
  return {
    tell: <Type extends EventType>(type: Type, event: EventOf<Type>) => {
      later(() => {
        for (const listener of listeners) {
          attempt(() => {
            listener.tell(type, event);
          });
        }
      });
    },
    later,
    flush,
  };
}
