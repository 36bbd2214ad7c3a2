import { signal } from '@preact/signals';
import type { EventRecord } from '../../../src/observing/events.js';
import { ApiError, ask } from '../api.js';

export type Shown = EventRecord & { readonly timestamp?: string; readonly number: number };

/** A line of the answer: an event, or how many went by unseen. */
type Line = Shown | { readonly missed: number };

/** Events that the page keeps: as many as the service does. */
export const MOST_KEPT = 10_000;
/** Rows are drawn at most this often. */
const DRAW_MS = 150;
const RETRY_MS = 2_000;

/** What the service tells, live, in a list that is bounded: the newest last. */
export class EventStream {
  readonly events = signal<readonly Shown[]>([]);
  readonly missed = signal(0);
  readonly state = signal<'connecting' | 'live' | 'gone'>('connecting');
  readonly problem = signal<unknown>(undefined);
  readonly paused = signal(false);
  #kept: Shown[] = [];
  #number = 0;
  #drawing: ReturnType<typeof setTimeout> | undefined;
  readonly #controller = new AbortController();

  /** @param query filters as `tightbeam tail` has them */
  constructor(private readonly query: Readonly<Record<string, string | readonly string[] | undefined>>) {
    void this.#run();
  }

  close(): void {
    this.#controller.abort();
    clearTimeout(this.#drawing);
  }

  /** What comes meanwhile is kept, and shown afterwards. */
  pause(paused: boolean): void {
    this.paused.value = paused;
    if (!paused) this.#draw();
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    for (;;) {
      try {
        const query = { ...this.query, last: String(MOST_KEPT), follow: 'true' };
        const response = await ask('/tightbeam/v1/events', { query, signal });
        this.#kept = [];
        this.state.value = 'live';
        this.problem.value = undefined;
        await this.#read(response);
      } catch (error) {
        if (signal.aborted) return;
        this.problem.value = error;
        // Somebody who may not will not be let by asking again.
        if (error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429) {
          this.state.value = 'gone';
          return;
        }
      }
      this.state.value = 'gone';
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      if (signal.aborted) return;
    }
  }

  async #read(response: Response): Promise<void> {
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (let read = await reader?.read(); read !== undefined && !read.done; read = await reader?.read()) {
      const lines = (rest + read.value).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) if (line !== '') this.#take(JSON.parse(line) as Line);
    }
  }

  #take(line: Line): void {
    if ('missed' in line && !('traceId' in line)) {
      this.missed.value += line.missed;
      return;
    }
    this.#number += 1;
    this.#kept.push({ ...line, number: this.#number });
    // In large steps: to take one off a long list each time would cost more than all the rest.
    if (this.#kept.length > MOST_KEPT * 1.1) this.#kept = this.#kept.slice(-MOST_KEPT);
    this.#drawing ??= setTimeout(() => {
      this.#drawing = undefined;
      if (!this.paused.value) this.#draw();
    }, DRAW_MS);
  }

  #draw(): void {
    this.events.value = this.#kept.slice(-MOST_KEPT);
  }
}
