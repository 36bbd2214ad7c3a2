import { isUnderDirect } from '../direct/topic.js';
import { realFilter } from '../policy/matching/topics.js';
import type { ClientContext } from './context.js';
import { isGuardedFilter, settle } from './enforcement.js';
import { isUnderQuestions, NO_CLIENT_THERE } from './reserved.js';
import type { BrokersWord, OfClient, Verdict } from './verdict.js';

export interface SubscribeRequest extends OfClient, BrokersWord {
  /** As the client wrote it, `$share/{group}/` and the like included. */
  readonly topicFilter: string;
  /** Greatest QoS that it asks for; absent where the broker does not tell. */
  readonly qos?: number | undefined;
  /** The broker tells of every subscription that it has granted: then only a refusal is told here. */
  readonly isToldLater?: boolean | undefined;
}

/** May the client subscribe? Nobody can under `$dm/` (direct messages come without a subscription) and `$tightbeam/`. */
export function maySubscribe(request: SubscribeRequest, context: ClientContext): Verdict {
  const { authorizer, events, afterwards } = context;
  const { identity, traceId, topicFilter: topicName, qos, brokersOwn } = request;
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
  const asked = { identity, traceId, topicName, qos };
  const verdict = settle({ decision, reason, asked, brokersOwn, guarded: isGuardedFilter(topicName) }, context);
  if (verdict.allowed && request.isToldLater === true) return verdict;
  afterwards(() => {
    const refusal = verdict.allowed ? {} : { reason: verdict.reason, details: verdict.details };
    events.tell('Subscribe', { ...asked, decision: verdict.decision, ...refusal });
  });
  return verdict;
}
