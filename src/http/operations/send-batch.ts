import type { Batches, BatchResult, LineOutcome } from '../../direct/batch/batch.js';
import type { Events } from '../../observing/events.js';
import { REASONS } from '../../reasons.js';
import { tellAs, type StreamedOperation, type StreamedRequest } from '../operation.js';
import type { Ending } from '../rendering.js';
import { tellDelivery } from './send-direct-message.js';

/** `POST /messages:batch`: a direct message a line, and its outcome as a line. */
export function sendBatch(batches: Batches, events: Events, clock: () => number): StreamedOperation {
  return {
    method: 'POST',
    path: '/messages:batch',
    stream(request) {
      const { caller: sender, trace, chunks, signal, throttle, write } = request;
      const startedAt = clock();
      const batch = batches.start({
        sender,
        trace,
        chunks,
        signal,
        throttle,
        tell: (outcome) => write(toLine(outcome)),
      });
      const done = batch.result.then((result) => {
        const ending = endingOf(result, signal);
        tellEnd(events, request, result, ending, clock() - startedAt);
        return ending;
      });
      return {
        get busy() {
          return batch.busy;
        },
        done,
      };
    },
    refused: tellAs('MessageBatch', ({ payloadBytes }) => ({ payloadBytes })),
  };
}

/** What a line's sender is told: what a single call is, in one object. */
function toLine({
  line,
  clientId,
  idempotencyKey,
  field,
  retryAfterMs,
  details,
  traceId,
  ...outcome
}: LineOutcome): string {
  const { http, status, message } = REASONS[outcome.reason] as { http?: number; status: string; message: string };
  // Only of the line itself: what went wrong behind it is for the operator.
  const isOfLine = outcome.written === undefined && (http === 400 || http === 413);
  const told = {
    line,
    clientId,
    idempotencyKey,
    status: http ?? 500,
    reason: outcome.reason,
    ...(status === 'Failure' && {
      message: isOfLine && details !== undefined ? `${message} ${details}` : message,
    }),
    field,
    details: isOfLine ? details : undefined,
    retryAfterSeconds: retryAfterMs === undefined ? undefined : Math.ceil(retryAfterMs / 1000),
    traceId,
    ...tellDelivery(outcome),
  };
  return `${JSON.stringify(told)}\n`;
}

/** Why lines were left unread, where some were. */
function endingOf({ lines, stopped, fault }: BatchResult, { reason }: AbortSignal): Ending | undefined {
  const more = { lines };
  if (fault !== undefined) return { ...fault, more: { ...more, details: fault.details } };
  return stopped ? { ...(reason as Ending), more } : undefined;
}

function tellEnd(
  events: Events,
  { traceId, caller }: StreamedRequest,
  { lines, counts }: BatchResult,
  ending: Ending | undefined,
  durationMs: number,
): void {
  const became = [...counts].map(([reason, count]) => `${count} ${reason}`).join(', ');
  const details = [ending?.details, `${lines} lines${became === '' ? '' : `: ${became}`}.`].filter(
    (one) => one !== undefined,
  );
  events.tell('MessageBatch', {
    traceId,
    identity: caller,
    reason: ending?.reason,
    durationMs,
    details: details.join(' '),
  });
}
