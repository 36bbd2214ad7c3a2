import type { HTTPMethods } from 'fastify';
import { invalid } from '../direct/properties.js';
import type { Identity } from '../identity/identity.js';
import { Ended, type Answer, type Ending } from './rendering.js';

/** A request to an operation, from a caller who has proved who they are. */
export interface OperationRequest {
  readonly traceId: string;
  readonly caller: Identity;
  /** The variable segments of the path, percent-decoded once. */
  readonly labels: Readonly<Record<string, string>>;
  readonly query: ReadonlyMap<string, readonly string[]>;
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Uint8Array;
}

/** One operation of the data plane. */
export interface Operation {
  /** As AWS names it in its API and its log. */
  readonly name: string;
  readonly method: HTTPMethods;
  /** Path with `:label` for each variable segment. */
  readonly path: string;
  /** What a path says is wrong whose percent-encoding is broken. */
  readonly labelFault: Ending['reason'];
  answer(request: OperationRequest): Promise<Answer>;
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
