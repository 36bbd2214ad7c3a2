import type { DataPlaneOperations } from '../../operations/data-plane-operations.js';
import { readParameters, tellAs, toAnswer, type Operation, type RefusedRequest } from '../operation.js';

const AT_CLIENT = { path: '/connections/:clientId', labelFault: 'INVALID_CLIENT_ID' } as const;
const ofClient = ({ labels }: RefusedRequest) => ({ clientId: labels['clientId'] });

/** GetConnection: `GET /connections/{clientId}`. */
export function getConnection(operations: DataPlaneOperations): Operation {
  return {
    ...AT_CLIENT,
    refused: tellAs('GetConnection', ofClient),
    method: 'GET',
    async answer(request) {
      const { includeSocketInformation } = readParameters(request, { query: ['includeSocketInformation'] });
      const { clientId = '' } = request.labels;
      const got = await operations.getConnection(request, clientId, includeSocketInformation);
      return toAnswer(got, (connection) => ({
        clientId: connection.clientId,
        connected: connection.connected,
        cleanSession: connection.cleanSession,
        keepAliveDuration: connection.keepAliveSeconds,
        sessionExpiry: connection.sessionExpirySeconds,
        connectedSince: connection.connectedSince,
        disconnectedSince: connection.disconnectedSince,
        disconnectReason: connection.disconnectReason,
        ...connection.socket,
      }));
    },
  };
}

/** DeleteConnection: `DELETE /connections/{clientId}`. */
export function deleteConnection(operations: DataPlaneOperations): Operation {
  return {
    ...AT_CLIENT,
    refused: tellAs('DeleteConnection', ofClient),
    method: 'DELETE',
    async answer(request) {
      const how = readParameters(request, { query: ['cleanSession', 'preventWillMessage'] });
      const { clientId = '' } = request.labels;
      const deleted = await operations.deleteConnection(request, clientId, how);
      return toAnswer(deleted, () => ({ message: 'OK', traceId: request.traceId }));
    },
  };
}

/** ListSubscriptions: `GET /connections/{clientId}/subscriptions`. */
export function listSubscriptions(operations: DataPlaneOperations): Operation {
  return {
    refused: tellAs('ListSubscriptions', ofClient),
    method: 'GET',
    path: '/connections/:clientId/subscriptions',
    labelFault: 'INVALID_CLIENT_ID',
    async answer(request) {
      const page = readParameters(request, { query: ['maxResults', 'nextToken'] });
      const { clientId = '' } = request.labels;
      const listed = await operations.listSubscriptions(request, clientId, page);
      return toAnswer(listed, ({ items, nextToken }) => ({
        subscriptions: items.map(({ topicFilter, qos }) => ({ topicFilter, qos })),
        nextToken,
      }));
    },
  };
}
