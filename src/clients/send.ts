import { parseDirectTopic } from '../direct/topic.js';
import { newTraceId } from '../observing/trace-id.js';
import { isService, type ClientContext } from './context.js';
import type { MessageOfClient } from './publish.js';
import type { Verdict } from './verdict.js';

/**
 * May the client send this direct message? `topicName` is the direct topic. A malformed one is refused here too: nothing
 * could be meant by it that a policy allows.
 *
 * Of an admitted message the outcome is told later (`tellOutcomes`); of a refused one the refusal is the outcome.
 */
export function maySend(request: MessageOfClient, context: ClientContext): Verdict {
  const { identity: sender, topicName, qos, payloadBytes, traceId = newTraceId() } = request;
  const { authorizer, events, afterwards } = context;
  if (isService(sender, context)) return { allowed: true };
  const confirmation = qos === undefined ? undefined : qos > 0;
  const parsed = parseDirectTopic(topicName);
  if (!parsed.ok) {
    const { reason, details } = parsed;
    const message = { targetClientId: '', topic: topicName, confirmation, payloadBytes };
    afterwards(() => {
      events.tell('SendDirectMessage', { traceId, sender, message, reason, durationMs: 0, details });
    });
    return { allowed: false, reason };
  }
  const { targetClientId, topic } = parsed.address;
  const decision = authorizer.sendDirectMessage(sender, targetClientId, topic);
  if (decision.effect === 'allow') return { allowed: true, decision };
  const reason = 'SENDER_NOT_AUTHORIZED';
  const message = { targetClientId, topic, confirmation, payloadBytes };
  afterwards(() => {
    events.tell('SendDirectMessage', { traceId, sender, message, reason, durationMs: 0, decision });
  });
  return { allowed: false, reason, decision };
}
