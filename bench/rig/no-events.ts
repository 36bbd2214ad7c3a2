import type { Events } from '../../src/observing/events.js';

/** For a server whose events are not what is measured. */
export const noEvents: Events = {
  tell: () => {
    // Nobody listens.
  },
};
