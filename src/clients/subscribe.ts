import { isUnderDirect } from '../direct/topic.js';
import { realFilter } from '../policy/matching/topics.js';
import type { ClientContext } from './context.js';
import { isUnderQuestions, NO_CLIENT_THERE } from './reserved.js';
import type { OfClient, Verdict } from './verdict.js';

export interface SubscribeRequest extends OfClient {
  /** As the client wrote it, `$share/{group}/` and the like included. */
  readonly topicFilter: string;
  /** Greatest QoS that it asks for; absent where the broker does not tell. */
  readonly qos?: number | undefined;
}

/** May the client subscribe? Nobody can under `$dm/` (direct messages come without a subscription) and `$tightbeam/`. */
export function maySubscribe(request: SubscribeRequest, { authorizer, events, afterwards }: ClientContext): Verdict {
  const { identity, traceId, topicFilter: topicName, qos } = request;
  const reason = 'SUBSCRIBE_NOT_AUTHORIZED';
  const filter = realFilter(topicName);
  if (isUnderDirect(filter) || isUnderQuestions(filter)) {
    afterwards(() => {
      const details = isUnderDirect(filter) ? 'Nobody can subscribe under $dm/.' : NO_CLIENT_THERE;
      events.tell('Subscribe', { identity, traceId, topicName, qos, reason, details });
    });
    return { allowed: false, reason };
  }
  const decision = authorizer.subscribe(identity, topicName);
  const allowed = decision.effect === 'allow';
  afterwards(() => {
    events.tell('Subscribe', { identity, traceId, topicName, qos, decision, reason: allowed ? undefined : reason });
  });
  return allowed ? { allowed, decision } : { allowed, reason, decision };
}
