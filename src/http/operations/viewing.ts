import type { Viewing } from '../../operations/viewing.js';
import { tellAs, toAnswer, type WholeOperation } from '../operation.js';
import { retryAfter } from '../rendering.js';

/** By then one who reads along may have gone. */
const RETRY_MS = 10_000;

/** `GET /tightbeam/v1/events`: what has happened and what happens, an event a line, by the parameters of `tightbeam tail`. */
export function viewEvents(viewing: Viewing): WholeOperation {
  return {
    method: 'GET',
    path: '/tightbeam/v1/events',
    refused: tellAs('ViewEvents'),
    async answer(request) {
      const read = await viewing.events(request, request.query, request.withdrawal());
      if (read.ok) return { lines: read.value };
      const { reason, details } = read;
      return { reason, details, ...(reason === 'ACCOUNT_THROTTLED' && { headers: retryAfter(RETRY_MS) }) };
    },
  };
}

/** `GET /tightbeam/v1/status`: how the service is, as `tightbeam status` prints it. */
export function viewStatus(viewing: Viewing): WholeOperation {
  return {
    method: 'GET',
    path: '/tightbeam/v1/status',
    refused: tellAs('ViewStatus'),
    async answer(request) {
      return toAnswer(await viewing.status(request), (status) => status);
    },
  };
}

/** `GET /tightbeam/v1/statistics`: rates and latencies of the last hour. */
export function viewStatistics(viewing: Viewing): WholeOperation {
  return {
    method: 'GET',
    path: '/tightbeam/v1/statistics',
    refused: tellAs('ViewStatus'),
    async answer(request) {
      return toAnswer(await viewing.statistics(request), (report) => report);
    },
  };
}
