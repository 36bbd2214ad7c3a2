import type { ServerResponse } from 'node:http';
import type { Fault } from '../direct/limits.js';
import { HUNG_UP } from './incoming-chunks.js';

const DRAINING: Fault = { reason: 'SHUTTING_DOWN', details: 'The message waited for a connection, and was withdrawn.' };

/** Requests that wait for something, and are to be told when it is no use any more. */
export class Withdrawals {
  readonly #waiting = new Set<AbortController>();

  /** Aborted when the caller hangs up before its answer, or by `all`; its reason says which, as a `Fault`. */
  of(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    this.#waiting.add(controller);
    response.once('close', () => {
      this.#waiting.delete(controller);
      if (!response.writableFinished) controller.abort(HUNG_UP);
    });
    if (response.destroyed) controller.abort(HUNG_UP);
    return controller.signal;
  }

  /** The service drains. */
  all(): void {
    for (const controller of this.#waiting) controller.abort(DRAINING);
  }
}
