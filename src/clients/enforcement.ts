import { isUnderDirect } from '../direct/topic.js';
import type { ActionEvent } from '../observing/events.js';
import type { Decision } from '../policy/authorizer.js';
import { realFilter, realTopic } from '../policy/matching/topics.js';
import type { Reason } from '../reasons.js';
import type { ClientContext } from './context.js';
import type { Verdict } from './verdict.js';

/** Whether decisions of the policies count, or are only told of while clients do what they did before. */
export type Mode = 'enforce' | 'shadow';

/** What decides on requests of principals in shadow: the broker as without policies, or nobody. */
export type InShadow = 'broker' | 'allow';

export interface Enforcement {
  /** @param principal name in principals.json; absent where none stands for the client */
  modeOf(principal: string | undefined): Mode;
  readonly inShadow: InShadow;
}

export const ENFORCE: Enforcement = Object.freeze({ modeOf: () => 'enforce', inShadow: 'broker' });

/** A request that policies have decided. */
export interface Decided {
  readonly decision: Decision;
  /** Of a refusal. */
  readonly reason: Reason;
  /** What is told of a request that would be refused. */
  readonly asked: ActionEvent;
  /** What the broker answers without policies; absent where it does not tell, or is yet to decide. */
  readonly brokersOwn?: boolean | undefined;
  /** About what Tightbeam itself guards, where policies always count. */
  readonly guarded?: boolean;
}

const BROKERS_OWN = 'The broker’s own decision, which stands while the policies are in shadow.';

/** What a decision of the policies comes to. */
export function settle({ decision, reason, asked, brokersOwn, guarded }: Decided, context: ClientContext): Verdict {
  const { enforcement, afterwards, events } = context;
  const denied = decision.effect === 'deny';
  if (guarded === true || enforcement.modeOf(decision.principalId) === 'enforce') {
    return denied ? { allowed: false, reason, decision } : { allowed: true, decision };
  }
  if (denied) {
    afterwards(() => {
      events.tell('WouldDeny', { ...asked, reason, decision });
    });
  }
  if (enforcement.inShadow === 'broker' && brokersOwn === false)
    return { allowed: false, reason, details: BROKERS_OWN };
  return denied ? { allowed: true } : { allowed: true, decision };
}

/** A decision that is asked for once more, to be told with what happened: what would be denied was told when it was asked. */
export function heeded(decision: Decision, { enforcement }: Pick<ClientContext, 'enforcement'>): Decision | undefined {
  return decision.effect === 'deny' && enforcement.modeOf(decision.principalId) === 'shadow' ? undefined : decision;
}

/**
 * Topics that exist through Tightbeam alone, of which no broker has an opinion: direct messages, the plugin's questions
 * and the events.
 */
export function isGuardedTopic(topic: string): boolean {
  return isGuarded(realTopic(topic));
}

/** Filters that match one of them; `#` and `+` in front match no topic with `$` (MQTT 5, section 4.7.2). */
export function isGuardedFilter(filter: string): boolean {
  return isGuarded(realFilter(filter));
}

function isGuarded(name: string): boolean {
  if (!name.startsWith('$')) return false;
  const [first, second] = name.split('/', 2);
  return (
    isUnderDirect(name) ||
    first === '$tightbeam' ||
    (first === '$aws' && (second === 'events' || second === '+' || second === '#'))
  );
}
