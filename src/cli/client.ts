import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../identity/sigv4/sha256.js';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Where requests go, and who signs them. */
export interface Signing {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
}

/** Of one device. */
interface DeviceCall extends Signing {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Uint8Array<ArrayBuffer>;
  /** Seconds; the service's default where absent. */
  readonly timeout?: number;
  /** What repeats of the same message have in common. */
  readonly idempotencyKey?: string;
}

export interface SendRequest extends DeviceCall {
  readonly confirmation: boolean;
}

export interface DeviceRequest extends DeviceCall {
  readonly responseTopic: string;
}

/** The answer of the data-plane API as it came. */
export interface SendAnswer {
  readonly status: number;
  /** `x-amzn-errortype`; null on success. */
  readonly exception: string | null;
  readonly body: { readonly message?: string; readonly reason?: string; readonly traceId?: string };
}

/** With the answer of the device, where there is one. */
export interface RequestAnswer extends SendAnswer {
  readonly body: SendAnswer['body'] & { readonly response?: { readonly payload: string } };
}

/**
 * SendDirectMessage, signed with SigV4 as any AWS client signs it.
 *
 * @throws what `fetch` throws where the endpoint cannot be reached; Error where something else than the data plane answers.
 */
export function sendDirectMessage(request: SendRequest): Promise<SendAnswer> {
  return call(request, 'messages', { confirmation: String(request.confirmation) });
}

/**
 * A request to a device, signed likewise.
 *
 * @throws as sendDirectMessage does.
 */
export function requestAnswer(request: DeviceRequest): Promise<RequestAnswer> {
  return call(request, 'requests', { responseTopic: request.responseTopic });
}

async function call(request: DeviceCall, what: string, parameters: Record<string, string>): Promise<RequestAnswer> {
  const { clientId, topic, timeout, idempotencyKey, payload: body } = request;
  const query: Record<string, string> = { topic, ...parameters };
  if (timeout !== undefined) query['timeout'] = String(timeout);
  const headers: Record<string, string> = idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey };
  const path = `/connections/${encodeURIComponent(clientId)}/${what}`;
  return answerOf(request, await post(request, { path, query, headers, body }));
}

/**
 * `GET /tightbeam/v1/devices/{clientId}`, signed: the status, and the JSON as it came.
 *
 * @throws what `fetch` throws
 */
export async function describeDevice(
  signing: Signing,
  clientId: string,
): Promise<{ readonly status: number; readonly text: string }> {
  const path = `/tightbeam/v1/devices/${encodeURIComponent(clientId)}`;
  const response = await signedFetch(signing, { method: 'GET', path, query: {}, headers: {} });
  return { status: response.status, text: await response.text() };
}

/** A line of the answer to a batch: an outcome, or, without `line`, why the batch ended before its end. */
export interface BatchAnswer {
  readonly line?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly details?: string;
}

/**
 * `POST /messages:batch`, signed.
 *
 * @returns the lines of the answer as they come, some at a time
 * @throws what `fetch` throws; BatchRefused where the batch as a whole was refused.
 */
export async function sendMessageBatch(
  signing: Signing,
  body: Uint8Array<ArrayBuffer>,
): Promise<AsyncIterable<readonly BatchAnswer[]>> {
  const response = await post(signing, { path: '/messages:batch', query: {}, headers: {}, body });
  if (response.status !== 200 || response.body === null) throw new BatchRefused(await answerOf(signing, response));
  return linesOf(response.body);
}

/** A batch was refused as a whole. */
export class BatchRefused extends Error {
  readonly answer: SendAnswer;

  constructor(answer: SendAnswer) {
    const { status, body } = answer;
    super(
      `${status} ${body.reason ?? answer.exception ?? ''}: ${body.message ?? ''} (trace ${body.traceId ?? 'none'})`,
    );
    this.answer = answer;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<readonly BatchAnswer[]> {
  let rest = '';
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield lines.map((line) => JSON.parse(line) as BatchAnswer);
  }
}

interface Sent {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent where there is none. */
  readonly body?: Uint8Array<ArrayBuffer>;
}

function post(signing: Signing, posted: Omit<Sent, 'method'>): Promise<Response> {
  const headers = { 'content-type': 'application/octet-stream', ...posted.headers };
  return signedFetch(signing, { ...posted, method: 'POST', headers });
}

async function signedFetch(
  { endpoint, region, credentials }: Signing,
  { method, path, query, headers, body }: Sent,
): Promise<Response> {
  const url = new URL(endpoint);
  const signer = new SignatureV4({ service: 'iotdata', region, credentials, sha256: Sha256 });
  const signed = await signer.sign({
    method,
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port ? { port: Number(url.port) } : {}),
    path,
    query: { ...query },
    headers: { host: url.host, ...headers },
    ...(body && { body }),
  });
  const target = new URL(url);
  target.pathname = path;
  target.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  return fetch(target, { method, headers: signed.headers, ...(body && { body }) });
}

async function answerOf({ endpoint }: Signing, response: Response): Promise<RequestAnswer> {
  return {
    status: response.status,
    exception: response.headers.get('x-amzn-errortype'),
    body: bodyOf(await response.text(), `${endpoint} answered HTTP ${response.status}`),
  };
}

function bodyOf(text: string, answered: string): RequestAnswer['body'] {
  try {
    const body: unknown = JSON.parse(text);
    if (typeof body === 'object' && body !== null) return body;
  } catch {
    // Told below, by who answered: a syntax error would say nothing to the caller.
  }
  throw new Error(`${answered}, and not as the data-plane API does: is the address right?`);
}
