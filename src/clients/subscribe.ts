import { isUnderDirect } from '../direct/topic.js';
import { realFilter } from '../policy/matching/topics.js';
import type { ClientContext } from './context.js';
import type { OfClient, Verdict } from './verdict.js';

export interface SubscribeRequest extends OfClient {
  /** As the client wrote it, `$share/{group}/` and the like included. */
  readonly topicFilter: string;
  /** Greatest QoS that it asks for; absent where the broker does not tell. */
  readonly qos?: number | undefined;
  /** The broker tells of every subscription that it has granted: then only a refusal is told here. */
  readonly isToldLater?: boolean | undefined;
}

/** May the client subscribe? Nobody can under `$dm/`: direct messages come without a subscription. */
export function maySubscribe(request: SubscribeRequest, { authorizer, events, afterwards }: ClientContext): Verdict {
  const { identity, traceId, topicFilter: topicName, qos } = request;
  const reason = 'SUBSCRIBE_NOT_AUTHORIZED';
  if (isUnderDirect(realFilter(topicName))) {
    afterwards(() => {
      const details = 'Nobody can subscribe under $dm/.';
      events.tell('Subscribe', { identity, traceId, topicName, qos, reason, details });
    });
    return { allowed: false, reason };
  }
  const decision = authorizer.subscribe(identity, topicName);
  const allowed = decision.effect === 'allow';
  if (allowed && request.isToldLater === true) return { allowed, decision };
  afterwards(() => {
    events.tell('Subscribe', { identity, traceId, topicName, qos, decision, reason: allowed ? undefined : reason });
  });
  return allowed ? { allowed, decision } : { allowed, reason, decision };
}
