import type { RetainedSummary } from '../../operations/broker.js';
import type { DataPlaneOperations } from '../../operations/data-plane-operations.js';
import { readParameters, readTopic, tellAs, toAnswer, type Operation } from '../operation.js';

/** GetRetainedMessage: `GET /retainedMessage/{topic}`. */
export function getRetainedMessage(operations: DataPlaneOperations): Operation {
  return {
    refused: tellAs('GetRetainedMessage', ({ labels }) => ({ topicName: labels['*'] })),
    method: 'GET',
    path: '/retainedMessage/*',
    labelFault: 'INVALID_TOPIC',
    async answer(request) {
      const topic = readTopic(request);
      const got = await operations.getRetainedMessage(request, topic);
      return toAnswer(got, ({ payload, userProperties, ...summary }) => ({
        topic: summary.topic,
        payload: Buffer.from(payload).toString('base64'),
        qos: summary.qos,
        lastModifiedTime: summary.lastModified,
        userProperties: userProperties && base64Json(userProperties.map(([name, value]) => ({ [name]: value }))),
      }));
    },
  };
}

/** ListRetainedMessages: `GET /retainedMessage`. */
export function listRetainedMessages(operations: DataPlaneOperations): Operation {
  return {
    refused: tellAs('ListRetainedMessages'),
    method: 'GET',
    path: '/retainedMessage',
    async answer(request) {
      const page = readParameters(request, { query: ['maxResults', 'nextToken'] });
      const listed = await operations.listRetainedMessages(request, page);
      return toAnswer(listed, ({ items, nextToken }) => ({ retainedTopics: items.map(summaryOf), nextToken }));
    },
  };
}

function summaryOf({ topic, payloadBytes, qos, lastModified }: RetainedSummary): object {
  return { topic, payloadSize: payloadBytes, qos, lastModifiedTime: lastModified };
}

function base64Json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64');
}
