import type { ServerResponse } from 'node:http';

/** Requests that wait for something, and are to be told when it is no use any more. */
export class Withdrawals {
  readonly #waiting = new Set<AbortController>();

  /** Aborted when the caller hangs up before its answer, or by `all`. */
  of(response: ServerResponse): AbortSignal {
    const controller = new AbortController();
    this.#waiting.add(controller);
    response.once('close', () => {
      this.#waiting.delete(controller);
      if (!response.writableFinished) controller.abort();
    });
    if (response.destroyed) controller.abort();
    return controller.signal;
  }

  /** The service drains. */
  all(): void {
    for (const controller of this.#waiting) controller.abort();
  }
}
