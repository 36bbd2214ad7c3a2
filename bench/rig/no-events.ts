import type { Events } from '../../src/observing/events.js';

/** For a server whose events are not what is measured. */
export const noEvents: Events = {
  directMessage: nothing,
  connect: nothing,
  disconnect: nothing,
  subscribe: nothing,
  publishIn: nothing,
  unsubscribe: nothing,
  publishOut: nothing,
  operation: nothing,
};

function nothing(): void {
  // Nobody listens.
}
