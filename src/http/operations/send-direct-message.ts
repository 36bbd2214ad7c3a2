import type { DirectMessaging } from '../../direct/send.js';
import { retryAfter } from '../rendering.js';
import { PROPERTY_HEADERS, readParameters, type Operation } from '../operation.js';

/** SendDirectMessage: `POST /connections/{clientId}/messages`, the body is the payload. */
export function sendDirectMessage(messaging: Pick<DirectMessaging, 'send'>): Operation {
  return {
    name: 'SendDirectMessage',
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
  };
}
