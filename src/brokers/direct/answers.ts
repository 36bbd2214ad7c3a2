import type { IPublishPacket } from 'mqtt-packet';
import type { Delivery, DeviceResponse } from '../../direct/delivery.js';
import type { Awaited, Party, PendingMessage } from './message.js';
import { pairsOf } from './user-properties.js';

export interface AnswersContext {
  /** Bytes that payload, content type and user properties of an answer may have together. */
  readonly maxBytes: number;
  /** The device has answered: the wait is over. */
  answered(awaited: Awaited, outcome: Delivery): void;
}

/**
 * Answers to requests that are waited for. One is what the client itself publishes, and may publish, on the response topic
 * with the Correlation Data of the request (MQTT 5, section 4.10); without any, where a single request waits for it there.
 */
export class Answers {
  readonly #context: AnswersContext;
  /** By client ID and topic. */
  readonly #awaited = new Map<string, Set<Awaited>>();

  constructor(context: AnswersContext) {
    this.#context = context;
  }

  /** False: no PUBLISH is of interest. */
  get areAwaited(): boolean {
    return this.#awaited.size > 0;
  }

  /** Whether anything that the client publishes there is of interest. */
  isAwaited(clientId: string, topic: string): boolean {
    return this.#awaited.has(keyOf(clientId, topic));
  }

  /**
   * A message is on its way: if it is a request, an answer counts from the moment in which it is written to the device.
   *
   * @param isBare the device's answers carry nothing by which to tell two requests apart
   * @returns false where another request waits there, and only one may.
   */
  wait(message: PendingMessage, isBare: boolean): boolean {
    const { request, address, remembered } = message;
    if (request === undefined) return true;
    this.forget(remembered?.awaited);
    const { responseTopic: topic, correlation } = request;
    const awaited: Awaited = { clientId: address.targetClientId, topic, correlation, message, remembered };
    const key = keyOf(awaited.clientId, topic);
    const others = this.#awaited.get(key) ?? new Set();
    if (isBare && [...others].some(isWaiting)) return false;
    this.#awaited.set(key, others.add(awaited));
    message.awaited = awaited;
    if (remembered !== undefined) remembered.awaited = awaited;
    return true;
  }

  /** A request has an outcome, or nobody who waits for it. An answer that may still come is kept for a repeat. */
  left({ awaited, remembered, acknowledged, unacknowledged }: PendingMessage): void {
    if (awaited === undefined) return;
    awaited.message = undefined;
    if (remembered?.awaited !== awaited || !(acknowledged || unacknowledged)) this.forget(awaited);
  }

  forget(awaited: Awaited | undefined): void {
    if (awaited === undefined) return;
    const key = keyOf(awaited.clientId, awaited.topic);
    const all = this.#awaited.get(key);
    if (all?.delete(awaited) === true && all.size === 0) this.#awaited.delete(key);
    if (awaited.remembered?.awaited === awaited) awaited.remembered.awaited = undefined;
  }

  /** A client has published, and it was allowed to. */
  published({ origin, receiver }: Party, packet: IPublishPacket): void {
    const all = origin && this.#awaited.get(keyOf(origin.clientId, packet.topic));
    if (all === undefined) return;
    const { correlationData } = packet.properties ?? {};
    if (receiver !== undefined) receiver.answersBare = correlationData === undefined;
    const awaited = correlationData === undefined ? onlyOne(all) : withCorrelation(all, correlationData);
    if (awaited === undefined) return;
    this.forget(awaited);
    this.#context.answered(awaited, this.#outcomeOf(packet));
  }

  #outcomeOf({ topic, payload, properties }: IPublishPacket): Delivery {
    const { contentType, userProperties } = properties ?? {};
    const pairs = pairsOf(userProperties);
    const response: DeviceResponse = {
      topic,
      // A copy, or a few bytes would keep all that came with them.
      payload: Buffer.from(payload),
      ...(contentType !== undefined && { contentType }),
      ...(pairs.length > 0 && { userProperties: pairs }),
    };
    if (responseBytes(response) > this.#context.maxBytes) return { reason: 'RESPONSE_TOO_LARGE', written: 'yes' };
    return { reason: 'ANSWERED', written: 'yes', response };
  }
}

/** What an answer takes. */
export function responseBytes({ payload, contentType = '', userProperties = [] }: DeviceResponse): number {
  let bytes = payload.byteLength + Buffer.byteLength(contentType);
  for (const [name, value] of userProperties) bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  return bytes;
}

function withCorrelation(all: ReadonlySet<Awaited>, correlation: Buffer): Awaited | undefined {
  for (const awaited of all) if (wasWritten(awaited) && awaited.correlation.equals(correlation)) return awaited;
  return undefined;
}

/** The one that is waited for now; undefined where there are several, of which nobody can say which is meant. */
function onlyOne(all: ReadonlySet<Awaited>): Awaited | undefined {
  const [one, ...others] = [...all].filter(isWaiting);
  return one !== undefined && others.length === 0 && wasWritten(one) ? one : undefined;
}

function isWaiting({ message, remembered }: Awaited): boolean {
  return message !== undefined || (remembered !== undefined && remembered.joined.size > 0);
}

function wasWritten({ message }: Awaited): boolean {
  return message?.written !== false;
}

/** No client ID holds U+0000 (MQTT 5, section 1.5.4). */
function keyOf(clientId: string, topic: string): string {
  return `${clientId}\0${topic}`;
}
