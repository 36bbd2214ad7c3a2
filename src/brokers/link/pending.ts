import type { ToldOutcome } from '../direct/outcome-message.js';
import type { Answer } from './answer.js';

/** A message that was sent and is not answered. */
export interface Pending {
  settle(answer: Answer): void;
  overdue: boolean;
  told: ToldOutcome | undefined;
}

/** How long after the deadline the broker's own answer is waited for before the sender is told anyway. */
export const OVERDUE_GRACE_MS = 1_000;

/**
 * One that waits for an answer. The grace begins when the deadline is noticed: a process that stood still past both would
 * otherwise find the answer overdue before it reads it from the socket.
 */
export function awaitAnswer(resolve: (answer: Answer) => void, timeoutMs: number, late: () => unknown): Pending {
  let timer = setTimeout(() => {
    timer = setTimeout(() => {
      pending.overdue = true;
      resolve('overdue');
      late();
    }, OVERDUE_GRACE_MS);
  }, timeoutMs);
  const pending: Pending = {
    overdue: false,
    told: undefined,
    settle: (answer) => {
      clearTimeout(timer);
      resolve(answer);
    },
  };
  return pending;
}
