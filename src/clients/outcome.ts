import type { DirectMessageEvent } from '../observing/events.js';
import { isService, type ClientContext } from './context.js';

/** What became of a direct message that a client sent over MQTT. */
export interface MqttOutcome extends Pick<
  DirectMessageEvent,
  'sender' | 'message' | 'reason' | 'durationMs' | 'endedAt' | 'details'
> {
  /** User property `traceparent` of the sender (W3C Trace Context). */
  readonly traceparent?: string | undefined;
}

/** Outcomes told in one turn of the event loop: some half a millisecond, for which requests of clients have to wait. */
const TURN = 50;

/** Direct messages have their outcomes. They are told in order; those of the service itself are passed over. */
export function tellOutcomes(outcomes: readonly MqttOutcome[], context: ClientContext, start = 0): void {
  if (start >= outcomes.length) return;
  context.afterwards(() => {
    for (const outcome of outcomes.slice(start, start + TURN)) tell(outcome, context);
    tellOutcomes(outcomes, context, start + TURN);
  });
}

/** Literals and no spreads: this is done for every direct message over MQTT. */
function tell(outcome: MqttOutcome, context: ClientContext): void {
  const { sender, message, reason, durationMs, endedAt, traceparent, details } = outcome;
  // The service knows what became of its own messages.
  if (isService(sender, context)) return;
  const senderClientId = sender.clientId ?? '';
  const traceId = context.tracing.mqttMessage({ message, reason, durationMs, endedAt, senderClientId, traceparent });
  const receiverDecision = reason === 'RECEIVER_NOT_AUTHORIZED' ? context.refusals.settle(message, traceId) : undefined;
  context.events.tell('SendDirectMessage', {
    traceId,
    sender,
    message,
    reason,
    durationMs,
    endedAt,
    details,
    receiverDecision,
  });
}
