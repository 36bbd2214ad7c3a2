import type { Delivery } from '../../direct/delivery.js';
import type { DirectMessaging, Waiting } from '../../direct/send.js';
import type { Events } from '../../observing/events.js';
import { retryAfter } from '../rendering.js';
import {
  PROPERTY_HEADERS,
  readParameters,
  type OperationRequest,
  type RefusedRequest,
  type WholeOperation,
} from '../operation.js';

/**
 * What repeats of one message have in common: the caller's own key, else what the SDKs of AWS send with all attempts of one
 * call (read: smithy-core and botocore).
 */
export function readIdempotencyKey(request: OperationRequest): string | undefined {
  const { key, invocation } = readParameters(request, {
    headers: { 'idempotency-key': 'key', 'amz-sdk-invocation-id': 'invocation' },
  });
  return key ?? invocation;
}

/** What a sender is told of a delivery beside its reason. A `traceId` there is that of the first attempt. */
export function tellDelivery(delivery: Partial<Delivery>): Readonly<Record<string, unknown>> {
  const { written, device, joined, firstTraceId, earlierWritten } = delivery;
  return {
    ...(firstTraceId !== undefined && { traceId: firstTraceId }),
    ...(written !== undefined && { written }),
    ...(joined === true && { joined }),
    ...(earlierWritten === true && { earlierWritten }),
    ...(device !== undefined && { deviceCode: device.code, deviceReason: device.reasonString }),
  };
}

/** SendDirectMessage: `POST /connections/{clientId}/messages`, the body is the payload. */
export function sendDirectMessage(messaging: Pick<DirectMessaging, 'send'>): WholeOperation {
  return {
    method: 'POST',
    path: '/connections/:clientId/messages',
    labelFault: 'INVALID_CLIENT_ID',
    async answer(request) {
      const parameters = readParameters(request, {
        query: ['topic', 'confirmation', 'timeout', 'contentType', 'responseTopic', 'waitForConnection'],
        headers: PROPERTY_HEADERS,
      });
      const { clientId = '' } = request.labels;
      const idempotencyKey = readIdempotencyKey(request);
      const input = { ...parameters, clientId, payload: request.body, idempotencyKey };
      const outcome = await messaging.send(request.caller, input, request.trace, waitingOf(request, parameters));
      const { reason, details, retryAfterMs } = outcome;
      return {
        reason,
        details,
        headers: retryAfterMs === undefined ? undefined : retryAfter(retryAfterMs),
        more: tellDelivery(outcome),
      };
    },
    refused: tellRefused,
  };
}

/** Of a message that waits for its receiver. */
export function waitingOf(
  request: OperationRequest,
  { waitForConnection }: { readonly waitForConnection?: string },
): Waiting {
  return waitForConnection === undefined ? {} : { signal: request.withdrawal() };
}

/** Tells of a message that did not get so far as to be sent. */
export function tellRefused(
  events: Events,
  { traceId, caller, labels, query, payloadBytes, ending }: RefusedRequest,
): void {
  const { clientId: targetClientId = '' } = labels;
  const topic = query.get('topic')?.[0] ?? '';
  const { reason, details } = ending;
  const message = { targetClientId, topic, payloadBytes };
  events.tell('SendDirectMessage', { traceId, sender: caller, message, reason, details, durationMs: 0 });
}
