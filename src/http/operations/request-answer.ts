import type { DeviceResponse } from '../../direct/delivery.js';
import type { DirectMessaging } from '../../direct/send.js';
import { PROPERTY_HEADERS, readParameters, type WholeOperation } from '../operation.js';
import { retryAfter } from '../rendering.js';
import { readIdempotencyKey, tellDelivery, tellRefused, waitingOf } from './send-direct-message.js';

/**
 * A request to a device: `POST /connections/{clientId}/requests`, the body is the payload, the device's answer is in
 * `response`. AWS IoT has no such operation.
 */
export function requestAnswer(messaging: Pick<DirectMessaging, 'request'>): WholeOperation {
  return {
    method: 'POST',
    path: '/connections/:clientId/requests',
    labelFault: 'INVALID_CLIENT_ID',
    async answer(request) {
      const parameters = readParameters(request, {
        query: ['topic', 'responseTopic', 'timeout', 'contentType', 'waitForConnection'],
        headers: PROPERTY_HEADERS,
      });
      const { clientId = '' } = request.labels;
      const idempotencyKey = readIdempotencyKey(request);
      const input = { ...parameters, clientId, payload: request.body, idempotencyKey };
      const outcome = await messaging.request(request.caller, input, request.trace, waitingOf(request, parameters));
      const { reason, details, retryAfterMs, response } = outcome;
      return {
        reason,
        details,
        headers: retryAfterMs === undefined ? undefined : retryAfter(retryAfterMs),
        more: { ...tellDelivery(outcome), ...(response !== undefined && { response: shapeOf(response) }) },
      };
    },
    refused: tellRefused,
  };
}

function shapeOf({ topic, payload, contentType, userProperties }: DeviceResponse): object {
  return {
    topic,
    payload: Buffer.from(payload).toString('base64'),
    contentType,
    userProperties: userProperties?.map(([name, value]) => ({ [name]: value })),
  };
}
