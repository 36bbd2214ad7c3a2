import { SignatureV4 } from '@smithy/signature-v4';
import { Sha256 } from '../identity/sigv4/sha256.js';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

interface Call {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly payload: Uint8Array<ArrayBuffer>;
}

/** Of one device. */
interface DeviceCall extends Call {
  readonly clientId: string;
  readonly topic: string;
  /** Seconds; the service's default where absent. */
  readonly timeout?: number;
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
  const url = new URL(request.endpoint);
  const path = `/connections/${encodeURIComponent(request.clientId)}/${what}`;
  const query: Record<string, string> = { topic: request.topic, ...parameters };
  if (request.timeout !== undefined) query['timeout'] = String(request.timeout);

  const signer = new SignatureV4({
    service: 'iotdata',
    region: request.region,
    credentials: request.credentials,
    sha256: Sha256,
  });
  const signed = await signer.sign({
    method: 'POST',
    protocol: url.protocol,
    hostname: url.hostname,
    ...(url.port ? { port: Number(url.port) } : {}),
    path,
    query,
    headers: { host: url.host, 'content-type': 'application/octet-stream' },
    body: request.payload,
  });
  const target = new URL(url);
  target.pathname = path;
  target.search = Object.entries(query)
    .map(([name, value]) => `${name}=${encodeURIComponent(value)}`)
    .join('&');
  const response = await fetch(target, { method: 'POST', headers: signed.headers, body: request.payload });
  return {
    status: response.status,
    exception: response.headers.get('x-amzn-errortype'),
    body: bodyOf(await response.text(), `${request.endpoint} answered HTTP ${response.status}`),
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
