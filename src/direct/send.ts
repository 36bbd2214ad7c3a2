import type { Identity } from '../identity/identity.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';
import type { Events } from '../telemetry/events.js';
import type { DirectDelivery } from './delivery.js';
import type { Limits } from './limits.js';
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
  async send(sender: Identity, input: SendDirectMessageInput, traceId: string): Promise<Outcome> {
    const { clock, events } = this.#options;
    const startedAt = clock();
    const { decision, ...outcome } = await this.#attempt(sender, input);
    events.directMessage({
      traceId,
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

  async #attempt(sender: Identity, input: SendDirectMessageInput): Promise<Outcome & { readonly decision?: Decision }> {
    const { authorizer, delivery, limits } = this.#options;
    const read = readDirectMessage(input, limits);
    if (!read.ok) return { reason: read.reason, details: read.details };
    const { message } = read;
    const decision = authorizer.sendDirectMessage(sender, message.targetClientId, message.topic);
    if (decision.effect !== 'allow') return { reason: 'SENDER_NOT_AUTHORIZED', decision };
    try {
      return { reason: await delivery.deliver(message), decision };
    } catch (error) {
      // The port promises not to reject; a promise that is broken must still have an outcome.
      return { reason: 'INTERNAL_ERROR', details: String(error), decision };
    }
  }
}
