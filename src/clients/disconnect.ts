import type { ClientContext } from './context.js';
import type { OfClient } from './verdict.js';

/** A connection has ended; `reason` is the broker's word for why. */
export function tellDisconnected(
  { identity, traceId, reason }: OfClient & { readonly reason: string },
  { afterwards, events, principalOf }: ClientContext,
): void {
  afterwards(() => {
    events.tell('Disconnect', { identity, principalId: principalOf(identity), traceId, disconnectReason: reason });
  });
}
