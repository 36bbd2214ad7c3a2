import { createHash, randomBytes } from 'node:crypto';
import type { Identity } from '../identity/identity.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { Events } from '../observing/events.js';
import { parseTraceparent } from '../observing/trace-id.js';
import type { Trace } from '../observing/tracing.js';
import type { RateLimiter } from '../throttling/rate-limiter.js';
import type { Delivery, DirectDelivery } from './delivery.js';
import { readDeviceRequest, type DeviceRequestInput } from './device-request.js';
import type { Fault, Limits } from './limits.js';
import type { DirectMessage, MessageIdentity } from './message.js';
import type { DirectAddress } from './topic.js';
import { readDirectMessage, type SendDirectMessageInput } from './request.js';

/** What became of a direct message. */
export interface Outcome extends Partial<Delivery> {
  readonly reason: Reason;
  /** For the sender of an invalid request, the rule that it broke; for the operator, what went wrong. */
  readonly details?: string | undefined;
  /** Where a limit was reached: when it is worth trying again, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

export interface DirectMessagingOptions {
  readonly authorizer: Authorizer;
  readonly delivery: DirectDelivery;
  readonly events: Events;
  /** Knows by which decision a receiver was refused. Default: nobody does. */
  readonly refusals?: { settle(address: DirectAddress, traceId: string): Decision | undefined };
  readonly limits: Limits;
  /** Whether devices that speak MQTT 5 get the trace, as the user property `traceparent`. Default false. */
  readonly propagateTrace?: boolean;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
  /** How many messages one receiver may be sent, by all senders together. No limit where it is not given. */
  readonly perReceiver?: RateLimiter | undefined;
  /** Most messages that may wait for their confirmation at once; each takes memory here and in the broker. */
  readonly maxPending?: number;
}

/** A message that may wait for its receiver to connect. */
export interface Waiting {
  /** Where it is aborted the message is withdrawn; its reason, a `Fault`, is the outcome. */
  readonly signal?: AbortSignal | undefined;
  /** Called once, when the wait begins. False: there is no room for it, RECEIVER_THROTTLED. */
  readonly begin?: (() => boolean) | undefined;
}

/** What is asked for, as it was read. */
interface Sending {
  readonly sender: Identity;
  readonly input: SendDirectMessageInput;
  readonly trace: Trace;
  readonly waiting: Waiting;
  readonly read: ReturnType<typeof readDirectMessage>;
}

/** A message whose receiver was not there. */
interface Absent extends Pick<Sending, 'sender' | 'trace' | 'waiting'> {
  readonly message: DirectMessage;
  readonly waitMs: number;
  readonly principal: string;
  readonly decision: Decision;
  readonly outcome: Outcome;
}

const CORRELATION_BYTES = 16;
const MAX_PENDING = 10_000;
/** By then some of the messages that are pending have their confirmation, or their timeout. */
const PENDING_RETRY_MS = 1_000;

/** Sends direct messages for callers who have proved who they are. */
export class DirectMessaging {
  readonly #options: DirectMessagingOptions;
  #pending = 0;

  constructor(options: DirectMessagingOptions) {
    this.#options = options;
  }

  /** Messages that wait for their confirmation. */
  get pending(): number {
    return this.#pending;
  }

  /**
   * Validates, asks whether the sender may, delivers. Never rejects, and reports exactly one event.
   *
   * The sender is authorized before anything that depends on the receiver: who may not send to a client ID learns
   * nothing about whether such a client exists.
   */
  send(sender: Identity, input: SendDirectMessageInput, trace: Trace, waiting: Waiting = {}): Promise<Outcome> {
    return this.#tell({ sender, input, trace, waiting, read: readDirectMessage(input, this.#options.limits) });
  }

  /**
   * The same, and waits for the device's answer. It is told to nobody who may not receive on the response topic: what devices
   * publish there is not for everybody who may send to them.
   */
  request(sender: Identity, input: DeviceRequestInput, trace: Trace, waiting: Waiting = {}): Promise<Outcome> {
    const read = readDeviceRequest(input, this.#options.limits);
    return this.#tell({ sender, input: { ...input, confirmation: 'true' }, trace, waiting, read });
  }

  async #tell(sending: Sending): Promise<Outcome> {
    const { sender, input, trace, read } = sending;
    const { clock, events, refusals } = this.#options;
    const startedAt = clock();
    const { decision, ...outcome } = await this.#attempt(sending);
    const { reason, details } = outcome;
    const refused = reason === 'RECEIVER_NOT_AUTHORIZED' && read.ok;
    // Literals and no spreads here and below: they take a good part of what a message costs.
    events.tell('SendDirectMessage', {
      traceId: trace.traceId,
      sender,
      message: {
        targetClientId: input.clientId,
        topic: input.topic ?? '',
        confirmation: input.confirmation === 'true',
        payloadBytes: input.payload.byteLength,
      },
      durationMs: clock() - startedAt,
      decision,
      receiverDecision: refused ? refusals?.settle(read.message, trace.traceId) : undefined,
      reason,
      details,
      written: outcome.written,
      device: outcome.device,
      firstTraceId: outcome.firstTraceId,
      earlierWritten: outcome.earlierWritten,
      responseTopic: read.ok && read.message.isRequest === true ? read.message.properties.responseTopic : undefined,
      responseBytes: outcome.response?.payload.byteLength,
    });
    return outcome;
  }

  async #attempt(sending: Sending): Promise<Outcome & { readonly decision?: Decision }> {
    const { sender, input, trace, read, waiting } = sending;
    if (!read.ok) return { reason: read.reason, details: read.details };
    const decision = this.#authorize(sender, read.message, trace);
    if (decision.effect !== 'allow') return { reason: 'SENDER_NOT_AUTHORIZED', decision };
    const refusal = this.#throttle(read.message);
    if (refusal !== undefined) return { ...refusal, decision };
    const principal = principalOf(sender, decision);
    const { idempotencyKey: id } = input;
    // One that nobody could repeat gets no identity: it would be remembered for nothing.
    const message = withIdentity(
      read.message,
      id === undefined ? undefined : { id, principal, traceId: trace.traceId },
    );
    const outcome = await this.#deliver(message, trace);
    if (message.waitMs === undefined || !isAbsent(outcome)) return { ...outcome, decision };
    return this.#whenConnected({
      message,
      waitMs: message.waitMs,
      principal,
      decision,
      outcome,
      sender,
      trace,
      waiting,
    });
  }

  /**
   * Waits for the receiver, and sends again when that is there: by then the sender's policies may be others, so they are asked
   * again. The broker asks the receiver's.
   */
  async #whenConnected(absent: Absent): Promise<Outcome & { readonly decision: Decision }> {
    const { message, waitMs, principal, sender, trace, waiting } = absent;
    const { signal, begin } = waiting;
    let { outcome, decision } = absent;
    const { clock, delivery } = this.#options;
    if (begin?.() === false) return { reason: 'RECEIVER_THROTTLED', written: 'no', details: TOO_MANY, decision };
    const until = clock() + waitMs;
    while (isAbsent(outcome)) {
      const left = Math.floor(until - clock());
      if (left < 1) break;
      const wait = { targetClientId: message.targetClientId, principal, waitMs: left };
      const seen = await orAborted(delivery.connected(wait, signal), signal);
      if (seen === 'aborted') return { ...(signal?.reason as Fault), written: 'no', decision };
      if (seen !== 'connected') return { ...seen, decision };
      decision = this.#authorize(sender, message, trace);
      if (decision.effect !== 'allow') return { reason: 'SENDER_NOT_AUTHORIZED', written: 'no', decision };
      outcome = await this.#deliver(message, trace);
    }
    return { ...outcome, decision };
  }

  /** The decision to send; of a request the refusal of its answer, where there is one. */
  #authorize(sender: Identity, message: DirectMessage, trace: Trace): Decision {
    const { authorizer } = this.#options;
    const { targetClientId, topic, isRequest, properties } = message;
    const span = trace.start({ step: 'authorize' });
    let decision = authorizer.sendDirectMessage(sender, targetClientId, topic);
    if (decision.effect === 'allow' && isRequest === true) {
      const ofAnswer = authorizer.receiveDirectMessage(sender, properties.responseTopic ?? '');
      if (ofAnswer.effect !== 'allow') decision = ofAnswer;
    }
    span.decided(decision);
    span.end(decision.effect === 'allow' ? undefined : 'SENDER_NOT_AUTHORIZED');
    return decision;
  }

  async #deliver(message: DirectMessage, trace: Trace): Promise<Outcome> {
    const { delivery, propagateTrace = false } = this.#options;
    const { targetClientId, topic, confirmation, payload } = message;
    const facts = { targetClientId, topic, confirmation, payloadBytes: payload.byteLength };
    const span = trace.start({ step: 'deliver', message: facts });
    if (confirmation) this.#pending += 1;
    const outcome = await settle(() => delivery.deliver(withTrace(withSpan(message, span), span, propagateTrace)));
    if (confirmation) this.#pending -= 1;
    if (outcome.reason === 'DELIVERED') span.event('puback');
    span.delivered(outcome);
    span.end(outcome.reason);
    return outcome;
  }

  #throttle({ confirmation, targetClientId }: DirectMessage): Outcome | undefined {
    const { maxPending = MAX_PENDING, perReceiver } = this.#options;
    if (confirmation && this.#pending >= maxPending) {
      const details = `${maxPending} messages are waiting for their confirmation.`;
      return { reason: 'ACCOUNT_THROTTLED', details, retryAfterMs: PENDING_RETRY_MS };
    }
    const retryAfterMs = perReceiver?.take(targetClientId) ?? 0;
    if (retryAfterMs === 0) return undefined;
    return { reason: 'RECEIVER_THROTTLED', details: 'The rate limit of this receiver.', retryAfterMs };
  }
}

/** The port promises not to reject; a promise that is broken must still have an outcome. */
async function settle(deliver: () => Promise<Delivery>): Promise<Outcome> {
  try {
    return await deliver();
  } catch (error) {
    return { reason: 'INTERNAL_ERROR', written: 'unknown', details: String(error) };
  }
}

/** Who sends, as a stable name. */
function principalOf(sender: Identity, { principalId }: Decision): string {
  const { accessKeyId, jwtSubject, certificate } = sender;
  return principalId ?? accessKeyId ?? jwtSubject ?? certificate?.distinguishedName ?? certificate?.commonName ?? '';
}

/** It was not connected, and nothing was written: worth waiting for. */
function isAbsent({ reason }: Outcome): boolean {
  return reason === 'CLIENT_NOT_CONNECTED' || reason === 'CLIENT_OFFLINE_WITH_SESSION';
}

const TOO_MANY = 'Too many lines of this batch wait for connections.';

function orAborted<T>(waiting: Promise<T>, signal: AbortSignal | undefined): Promise<T | 'aborted'> {
  if (signal === undefined) return waiting;
  return new Promise((resolve) => {
    const abort = (): void => {
      resolve('aborted');
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    void waiting.then((value) => {
      signal.removeEventListener('abort', abort);
      resolve(value);
    });
  });
}

/** A request gets Correlation Data, the same for its repeats, or their answers would be those of another message. */
function withIdentity(message: DirectMessage, identity: MessageIdentity | undefined): DirectMessage {
  const told = identity === undefined ? message : { ...message, identity };
  const { isRequest, properties, targetClientId } = message;
  if (isRequest !== true || properties.correlationData !== undefined) return told;
  const correlationData =
    identity === undefined
      ? randomBytes(CORRELATION_BYTES)
      : createHash('sha256')
          .update(JSON.stringify([identity.principal, targetClientId, identity.id]))
          .digest()
          .subarray(0, CORRELATION_BYTES);
  return { ...told, properties: { ...properties, correlationData } };
}

/** The message whose identity tells repeats of the span to link to, where there is one to be seen. */
function withSpan(message: DirectMessage, { traceparent }: Trace): DirectMessage {
  const { identity } = message;
  if (identity === undefined) return message;
  const span = parseTraceparent(traceparent);
  return span?.sampled === true ? { ...message, identity: { ...identity, spanId: span.spanId } } : message;
}

/** The message with its trace, unless the sender has put one into its user properties. */
function withTrace(message: DirectMessage, { traceparent }: Trace, reachesDevice: boolean): DirectMessage {
  const isGiven = message.properties.userProperties?.some(([name]) => name === 'traceparent');
  return isGiven === true ? message : { ...message, trace: { traceparent, reachesDevice } };
}
