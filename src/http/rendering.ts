import type { FastifyError } from 'fastify';
import type { Identity } from '../identity/identity.js';
import { REASONS, type Reason } from '../reasons.js';

/** An answer, ready for the wire. */
export interface Rendered {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What an operation answers: what became of the request, or what was asked for. */
export type Answer = Ending | { readonly result: object };

/** What became of a request. */
export interface Ending {
  readonly reason: Reason;
  /** The rule that an invalid request broke (the caller is told), or what went wrong (only the log is told). */
  readonly details?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** What the caller is told beside. A `traceId` there takes the place of the request's own. */
  readonly more?: Readonly<Record<string, unknown>> | undefined;
}

/** Ends a request from wherever its handling has got to. The data plane reports and renders it. */
export class Ended extends Error {
  readonly ending: Ending;
  /** Where it is known by then. */
  readonly caller: Identity | undefined;

  constructor(ending: Ending, caller?: Identity) {
    super(ending.reason);
    this.ending = ending;
    this.caller = caller;
  }
}

/** When to come again after a request over a limit: whole seconds (RFC 9110, section 10.2.3). */
export function retryAfter(milliseconds: number): Readonly<Record<string, string>> {
  return { 'retry-after': String(Math.ceil(milliseconds / 1000)) };
}

/** How a request ends whose handling threw: as it says itself, by the fault of the caller, or by a defect of ours. */
export function endingOf(error: unknown): Ending {
  if (error instanceof Ended) return error.ending;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return { reason: 'PAYLOAD_TOO_LARGE' };
  if (statusCode !== undefined && statusCode < 500) return { reason: 'INVALID_REQUEST', details: message ?? '' };
  return { reason: 'INTERNAL_ERROR', details: error instanceof Error ? (error.stack ?? message ?? '') : String(error) };
}

/** Renders an answer the way AWS's restJson1 services do. Status, exception and text come from the table of reasons. */
export function render(answer: Answer, traceId: string): Rendered {
  if ('result' in answer) return json(200, {}, answer.result, traceId);
  const { http = 500, exception, message } = REASONS[answer.reason];
  if (exception === undefined) return json(http, {}, { message, traceId, ...answer.more }, traceId);
  const speaksOfRequest =
    exception === 'InvalidRequestException' ||
    exception === 'RequestEntityTooLargeException' ||
    answer.reason === 'UNKNOWN_OPERATION';
  const details = speaksOfRequest ? answer.details : undefined;
  const told = {
    // What SDKs and the AWS CLI show: nothing else of the answer.
    message: details === undefined ? message : `${message} ${details}`,
    // A caller who has proved nothing learns nothing more.
    reason: exception === 'UnauthorizedException' ? undefined : answer.reason,
    // Only where they speak of nothing but the request itself.
    details,
    traceId,
    ...answer.more,
  };
  return json(http, { 'x-amzn-errortype': exception, ...answer.headers }, told, traceId);
}

function json(status: number, headers: Readonly<Record<string, string>>, body: object, traceId: string): Rendered {
  return {
    status,
    headers: { 'content-type': 'application/json', 'x-amzn-requestid': traceId, ...headers },
    body: JSON.stringify(body),
  };
}
