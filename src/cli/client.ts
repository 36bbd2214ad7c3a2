import { createHash, createHmac } from 'node:crypto';
import { SignatureV4 } from '@smithy/signature-v4';

export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface SendRequest {
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: AwsCredentials;
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly confirmation: boolean;
  /** Seconds; the service's default where absent. */
  readonly timeout?: number;
}

/** The answer of the data-plane API as it came. */
export interface SendAnswer {
  readonly status: number;
  /** `x-amzn-errortype`; null on success. */
  readonly exception: string | null;
  readonly body: { readonly message?: string; readonly reason?: string; readonly traceId?: string };
}

/**
 * SendDirectMessage, signed with SigV4 as any AWS client signs it.
 *
 * @throws what `fetch` throws where the endpoint cannot be reached.
 */
export async function sendDirectMessage(request: SendRequest): Promise<SendAnswer> {
  const url = new URL(request.endpoint);
  const path = `/connections/${encodeURIComponent(request.clientId)}/messages`;
  const query: Record<string, string> = { topic: request.topic, confirmation: String(request.confirmation) };
  if (request.timeout !== undefined) query['timeout'] = String(request.timeout);

  const signer = new SignatureV4({
    service: 'iotdata',
    region: request.region,
    credentials: request.credentials,
    sha256: NodeSha256,
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
    body: (await response.json()) as SendAnswer['body'],
  };
}

/** The hash the signer asks for (`@smithy/types` Checksum), from Node itself. */
class NodeSha256 {
  readonly #hash;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', toBytes(secret));
  }
  update(data: Uint8Array): void {
    this.#hash.update(data);
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(this.#hash.digest());
  }
  reset(): void {
    throw new Error('A hash is used once.');
  }
}

function toBytes(secret: string | ArrayBuffer | ArrayBufferView): Buffer {
  if (typeof secret === 'string') return Buffer.from(secret);
  return ArrayBuffer.isView(secret)
    ? Buffer.from(secret.buffer, secret.byteOffset, secret.byteLength)
    : Buffer.from(secret);
}
