import { setTimeout as sleep } from 'node:timers/promises';
import type { EmqxApi } from '../api.js';
import { EmqxApiError } from '../rest.js';
import type { Audience } from './plan.js';

/** Between two looks, in milliseconds. */
const INTERVAL_MS = 250;

/**
 * Until EMQX has made the routes of its management API. While it starts it listens, and may answer `/status`, before it has
 * them; until then what is asked of it is 404 (run on 6.2.0, for a second; read there: emqx_dashboard.erl, `start_listeners/1`, which starts a
 * listener before `regenerate_dispatch`).
 *
 * @param withinMs how long to wait, in milliseconds.
 * @throws EmqxApiError another refusal at once, and 404 when the time is over: the address may be that of something else.
 */
export async function whenStarted(api: EmqxApi, audience: Pick<Audience, 'say'>, withinMs = 30_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  for (let isFirst = true; ; isFirst = false) {
    try {
      await api.nodes();
      return;
    } catch (error) {
      if (!(error instanceof EmqxApiError) || error.status !== 404 || performance.now() >= deadline) throw error;
      if (isFirst) audience.say(`waiting for EMQX to start: ${error.message}`);
      await sleep(INTERVAL_MS);
    }
  }
}
