import type { ClientContext } from './context.js';
import type { MessageOfClient } from './publish.js';

/** A message was delivered to the client. */
export function tellDelivered(
  { identity, traceId, topicName, qos, payloadBytes }: MessageOfClient,
  { afterwards, events }: ClientContext,
): void {
  afterwards(() => {
    events.tell('Publish-Out', { identity, traceId, topicName, qos, payloadBytes });
  });
}
