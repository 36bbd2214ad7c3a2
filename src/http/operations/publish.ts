import type { DataPlaneOperations } from '../../operations/data-plane-operations.js';
import { PROPERTY_HEADERS, readParameters, readTopic, tellAs, toAnswer, type Operation } from '../operation.js';

/** Publish: `POST /topics/{topic}`, the body is the payload. */
export function publish(operations: DataPlaneOperations): Operation {
  return {
    refused: tellAs('Publish-In', ({ labels, payloadBytes }) => ({ topicName: labels['*'], payloadBytes })),
    method: 'POST',
    path: '/topics/*',
    labelFault: 'INVALID_TOPIC',
    async answer(request) {
      const parameters = readParameters(request, {
        query: ['qos', 'retain', 'messageExpiry', 'contentType', 'responseTopic'],
        headers: PROPERTY_HEADERS,
      });
      const topic = readTopic(request);
      const published = await operations.publish(request, { ...parameters, topic, payload: request.body });
      return toAnswer(published, () => ({ message: 'OK', traceId: request.traceId }));
    },
  };
}
