import type { DirectMessaging } from '../../direct/send.js';
import { retryAfter } from '../rendering.js';
import { PROPERTY_HEADERS, readParameters, type Operation } from '../operation.js';

/** SendDirectMessage: `POST /connections/{clientId}/messages`, the body is the payload. */
export function sendDirectMessage(messaging: Pick<DirectMessaging, 'send'>): Operation {
  return {
    method: 'POST',
    path: '/connections/:clientId/messages',
    labelFault: 'INVALID_CLIENT_ID',
    async answer(request) {
      const parameters = readParameters(request, {
        query: ['topic', 'confirmation', 'timeout', 'contentType', 'responseTopic'],
        headers: PROPERTY_HEADERS,
      });
      const { clientId = '' } = request.labels;
      const input = { ...parameters, clientId, payload: request.body };
      const { reason, details, retryAfterMs } = await messaging.send(request.caller, input, request.trace);
      return { reason, details, headers: retryAfterMs === undefined ? undefined : retryAfter(retryAfterMs) };
    },
    refused(events, { traceId, caller, labels, query, payloadBytes, ending }) {
      const { clientId: targetClientId = '' } = labels;
      const topic = query.get('topic')?.[0] ?? '';
      const { reason, details } = ending;
      const message = { targetClientId, topic, payloadBytes };
      events.tell('SendDirectMessage', { traceId, sender: caller, message, reason, details, durationMs: 0 });
    },
  };
}
