import { requestAnswer, sendDirectMessage, type RequestAnswer, type SendAnswer } from './cli/client.js';

export interface DirectClientOptions {
  /** The data-plane API: `http(s)://HOST:PORT`. */
  readonly endpoint: string;
  /** Region of the signature: that of the service. Default `us-east-1`. */
  readonly region?: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** A message to one device. */
export interface DirectClientMessage {
  /** MQTT client ID of the device. */
  readonly clientId: string;
  /** Topic on which the device receives it. */
  readonly topic: string;
  /** Text is sent as UTF-8. Default: empty. */
  readonly payload?: string | Uint8Array;
  /** How long to wait for the device, in whole seconds, 1 to 15 (of a request 1 to 60). Default: the service's. */
  readonly timeout?: number;
  /** What repeats of the message have in common: it is delivered once. */
  readonly idempotencyKey?: string;
}

/** Sends direct messages over the data-plane API, signed as any AWS client signs. */
export class DirectClient {
  readonly #options: DirectClientOptions;

  constructor(options: DirectClientOptions) {
    this.#options = options;
  }

  /**
   * SendDirectMessage. A message that did not arrive is an answer, not an error: see `status` and `body.reason`.
   *
   * @throws what `fetch` throws where the endpoint cannot be reached; Error where something else answers there.
   */
  send(message: DirectClientMessage & { readonly confirmation?: boolean }): Promise<SendAnswer> {
    const { confirmation = true } = message;
    return sendDirectMessage({ ...this.#call(message), confirmation });
  }

  /** A request: the answer has what the device publishes on `responseTopic`. @throws as `send` does. */
  request(message: DirectClientMessage & { readonly responseTopic: string }): Promise<RequestAnswer> {
    return requestAnswer({ ...this.#call(message), responseTopic: message.responseTopic });
  }

  #call({ clientId, topic, payload = '', timeout, idempotencyKey }: DirectClientMessage) {
    const { endpoint, region = 'us-east-1', accessKeyId, secretAccessKey } = this.#options;
    return {
      endpoint,
      region,
      credentials: { accessKeyId, secretAccessKey },
      clientId,
      topic,
      payload: typeof payload === 'string' ? new TextEncoder().encode(payload) : new Uint8Array(payload),
      ...(timeout !== undefined && { timeout }),
      ...(idempotencyKey !== undefined && { idempotencyKey }),
    };
  }
}
