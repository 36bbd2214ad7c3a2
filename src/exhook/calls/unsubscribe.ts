import { identityOf } from '../normalise.js';
import type { Handler } from './context.js';

/** Registered on request only: the client's UNSUBACK waits for this answer. */
export const onClientUnsubscribe: Handler<'OnClientUnsubscribe'> = (request, context, { traceId }) => {
  const { clientinfo, topic_filters: filters } = request;
  if (clientinfo !== null) {
    context.afterwards(() => {
      const identity = identityOf(clientinfo);
      for (const { name } of filters) context.events.tell('Unsubscribe', { identity, traceId, topicName: name });
    });
  }
  return {};
};
