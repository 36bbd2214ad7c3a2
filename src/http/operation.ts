import type { HTTPMethods } from 'fastify';
import { invalid } from '../direct/properties.js';
import type { Identity } from '../identity/identity.js';
import type { ActionEvent, ActionType, Events } from '../observing/events.js';
import type { Read } from '../operations/requests.js';
import type { Trace } from '../observing/tracing.js';
import { Ended, type Answer, type Ending } from './rendering.js';

/** A request to an operation, from a caller who has proved who they are. */
export interface OperationRequest {
  readonly traceId: string;
  readonly trace: Trace;
  readonly caller: Identity;
  /** As on the wire, without the query. */
  readonly path: string;
  /** The variable segments of the path, percent-decoded once. */
  readonly labels: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, readonly string[]>;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Uint8Array;
  /** Aborted where nothing more is to be begun for this request: its caller has gone, or the service drains. */
  withdrawal(): AbortSignal;
}

/** A request that was refused before its operation took it over, with what is known of it by then. */
export interface RefusedRequest extends Pick<OperationRequest, 'traceId' | 'labels' | 'query'> {
  /** Who has proved who they are; where nobody has, what the connection tells of them. */
  readonly caller: Identity;
  /** Size of the body: as read, or else as announced. */
  readonly payloadBytes: number | undefined;
  readonly ending: Ending;
}

/** One operation of the data plane. */
export type Operation = WholeOperation | StreamedOperation;

interface CommonOperation {
  readonly method: HTTPMethods;
  /** Path with `:label` for a variable segment, and `*` for all the segments that are left. */
  readonly path: string;
  /** What is wrong with a request whose label has broken percent-encoding; absent where the path has no label. */
  readonly labelFault?: Ending['reason'];
  /** Tells of a request that did not get to the operation, or that the operation threw at: one event. */
  refused(events: Events, request: RefusedRequest): void;
}

/** It has the whole body before it begins, and answers once. */
export interface WholeOperation extends CommonOperation {
  /** Does it, and tells of it: one event, unless it throws. */
  answer(request: OperationRequest): Promise<Answer | Lines>;
}

/** An answer that goes on: lines of JSON as they come, under status 200, until they end or the request is withdrawn. */
export interface Lines {
  readonly lines: AsyncIterable<string>;
}

/** It answers while its body still comes: lines of JSON, under status 200. */
export interface StreamedOperation extends CommonOperation {
  /** Starts it. `done` settles with what ended it early, once all has been written, and tells of it: one event. */
  stream(request: StreamedRequest): { readonly busy: boolean; readonly done: Promise<Ending | undefined> };
}

/** A request to such an operation. What the body holds is the caller's for certain. */
export interface StreamedRequest extends Omit<OperationRequest, 'body' | 'withdrawal'> {
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Settles once the piece is on its way to the caller, and can hold as many others up as want to write. */
  readonly write: (line: string) => Promise<void>;
  /** One more message of this caller: for how many milliseconds not yet, or 0. */
  readonly throttle: () => number;
  /** Aborted where no more of the body is to be read; its reason is the Ending. */
  readonly signal: AbortSignal;
}

/** Tells of refused requests as events of a type; `about` says what such a request would have been about. */
export function tellAs(
  type: ActionType,
  about: (request: RefusedRequest) => Pick<ActionEvent, 'clientId' | 'topicName' | 'payloadBytes'> = () => ({}),
): Operation['refused'] {
  return (events, request) => {
    const { traceId, caller, ending } = request;
    const { reason, details } = ending;
    events.tell(type, { traceId, identity: caller, reason, details, ...about(request) });
  };
}

/** The headers that carry MQTT 5 properties, and what the properties are called. */
export const PROPERTY_HEADERS = {
  'x-amz-mqtt5-user-properties': 'userProperties',
  'x-amz-mqtt5-payload-format-indicator': 'payloadFormatIndicator',
  'x-amz-mqtt5-correlation-data': 'correlationData',
} as const;

/**
 * The topic that is the rest of a path. Its slashes may be percent-encoded, as the SDKs send them, or not, as in AWS's
 * examples.
 *
 * @throws Ended where an unencoded slash makes an empty or dot segment: signatures do not tell `a/b` from `a/./b`.
 */
export function readTopic({ path, labels }: OperationRequest): string {
  const [, , ...segments] = path.split('/');
  if (segments.length > 1 && segments.some((segment) => ['', '.', '..'].includes(segment))) {
    throw new Ended({
      reason: 'INVALID_TOPIC',
      details: 'Slashes beside an empty or dot segment must be encoded: %2F.',
    });
  }
  return labels['*'] ?? '';
}

/** The answer to an operation: the value in the shape that AWS gives it, or the fault. */
export function toAnswer<T>(read: Read<T>, shape: (value: T) => object): Answer {
  return read.ok ? { result: shape(read.value) } : { reason: read.reason, details: read.details };
}

/**
 * Reads parameters of a request that may be given once: by `query` name, and by header name to what it is called.
 *
 * @throws Ended where one is given twice: to choose would be a guess, and a proxy might guess otherwise.
 */
export function readParameters<Name extends string>(
  request: OperationRequest,
  sources: { readonly query?: readonly Name[]; readonly headers?: Readonly<Record<string, Name>> },
): Partial<Record<Name, string>> {
  const parameters: Partial<Record<Name, string>> = {};
  const read = (name: Name, source: string, values: readonly string[] | undefined): void => {
    if (values === undefined) return;
    if (values.length > 1) throw new Ended(invalid(`${source} is given more than once.`));
    parameters[name] = values[0];
  };
  for (const name of sources.query ?? []) read(name, name, request.query.get(name));
  for (const [header, name] of Object.entries(sources.headers ?? {})) read(name, header, request.headers.get(header));
  return parameters;
}
