import type { Identity } from '../identity/identity.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { Events } from '../telemetry/events.js';
import type { Trace } from '../telemetry/tracing.js';
import type { DirectDelivery } from './delivery.js';
import type { Limits } from './limits.js';
import type { DirectMessage } from './message.js';
import { readDirectMessage, type SendDirectMessageInput } from './request.js';

/** What became of a direct message. */
export interface Outcome {
  readonly reason: Reason;
  /** For the sender of an invalid request, the rule that it broke; for the operator, what went wrong. */
  readonly details?: string;
}

export interface DirectMessagingOptions {
  readonly authorizer: Authorizer;
  readonly delivery: DirectDelivery;
  readonly events: Events;
  readonly limits: Limits;
  /** Whether devices that speak MQTT 5 get the trace, as the user property `traceparent`. Default false. */
  readonly propagateTrace?: boolean;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

/** Sends direct messages for callers who have proved who they are. */
export class DirectMessaging {
  readonly #options: DirectMessagingOptions;

  constructor(options: DirectMessagingOptions) {
    this.#options = options;
  }

  /**
   * Validates, asks whether the sender may, delivers. Never rejects, and reports exactly one event.
   *
   * The sender is authorized before anything that depends on the receiver: who may not send to a client ID learns
   * nothing about whether such a client exists.
   */
  async send(sender: Identity, input: SendDirectMessageInput, trace: Trace): Promise<Outcome> {
    const { clock, events } = this.#options;
    const startedAt = clock();
    const { decision, ...outcome } = await this.#attempt(sender, input, trace);
    events.directMessage({
      traceId: trace.traceId,
      sender,
      message: {
        targetClientId: input.clientId,
        topic: input.topic ?? '',
        confirmation: input.confirmation === 'true',
        payloadBytes: input.payload.byteLength,
      },
      durationMs: clock() - startedAt,
      ...(decision && { decision }),
      ...outcome,
    });
    return outcome;
  }

  async #attempt(
    sender: Identity,
    input: SendDirectMessageInput,
    trace: Trace,
  ): Promise<Outcome & { readonly decision?: Decision }> {
    const read = readDirectMessage(input, this.#options.limits);
    if (!read.ok) return { reason: read.reason, details: read.details };
    const decision = this.#authorize(sender, read.message, trace);
    if (decision.effect !== 'allow') return { reason: 'SENDER_NOT_AUTHORIZED', decision };
    return { ...(await this.#deliver(read.message, trace)), decision };
  }

  #authorize(sender: Identity, { targetClientId, topic }: DirectMessage, trace: Trace): Decision {
    const span = trace.start({ step: 'authorize' });
    const decision = this.#options.authorizer.sendDirectMessage(sender, targetClientId, topic);
    span.decided(decision);
    span.end(decision.effect === 'allow' ? undefined : 'SENDER_NOT_AUTHORIZED');
    return decision;
  }

  async #deliver(message: DirectMessage, trace: Trace): Promise<Outcome> {
    const { delivery, propagateTrace = false } = this.#options;
    const { targetClientId, topic, confirmation, payload } = message;
    const facts = { targetClientId, topic, confirmation, payloadBytes: payload.byteLength };
    const span = trace.start({ step: 'deliver', message: facts });
    const outcome = await settle(() => delivery.deliver(propagateTrace ? withTrace(message, span) : message));
    if (outcome.reason === 'DELIVERED') span.event('puback');
    span.end(outcome.reason);
    return outcome;
  }
}

/** The port promises not to reject; a promise that is broken must still have an outcome. */
async function settle(deliver: () => Promise<Reason>): Promise<Outcome> {
  try {
    return { reason: await deliver() };
  } catch (error) {
    return { reason: 'INTERNAL_ERROR', details: String(error) };
  }
}

/** The message with the trace in its user properties, unless the sender has put one there. */
function withTrace(message: DirectMessage, { traceparent }: Trace): DirectMessage {
  const { properties } = message;
  const { userProperties = [] } = properties;
  if (userProperties.some(([name]) => name === 'traceparent')) return message;
  return {
    ...message,
    properties: { ...properties, userProperties: [...userProperties, ['traceparent', traceparent]] },
  };
}
