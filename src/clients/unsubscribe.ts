import type { ClientContext } from './context.js';
import type { OfClient } from './verdict.js';

/** A client gives subscriptions up. */
export function tellUnsubscribed(
  { identity, traceId, topicFilters }: OfClient & { readonly topicFilters: readonly string[] },
  { afterwards, events }: ClientContext,
): void {
  afterwards(() => {
    for (const topicName of topicFilters) events.tell('Unsubscribe', { identity, traceId, topicName });
  });
}
