import type { ClientContext } from '../clients/context.js';
import { mayPublish } from '../clients/publish.js';
import { mayReceive } from '../clients/receive.js';
import { maySubscribe } from '../clients/subscribe.js';
import type { Verdict } from '../clients/verdict.js';
import type { Identity } from '../identity/identity.js';
import type { HookSpan } from '../observing/tracing.js';
import type { Hook } from './hooks.js';
import type { Tap } from './tap/tap.js';
import { askedTopic, receivingOn } from './normalise.js';
import type { ClientInfo, RequestOf, ValuedResponse } from './wire.js';

export interface CallContext extends ClientContext {
  /** Hooks to register where the broker has no event tap, beyond those of connections. */
  readonly hooks: readonly Hook[];
  readonly tap: Tap;
}

/**
 * Decisions always stop the chain: callbacks of lower priority (the guard, which denies) are for the case that no
 * provider answers.
 */
export const ALLOW: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: true });
export const DENY: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: false });

export function answer(verdict: Verdict, span: HookSpan): ValuedResponse {
  if (verdict.decision !== undefined) span.decided(verdict.decision);
  if (verdict.allowed) return ALLOW;
  span.refused(verdict.reason);
  return DENY;
}

/** What a client wants to do with a topic. */
export interface Wish {
  readonly type: RequestOf<'OnClientAuthorize'>['type'];
  /** As the broker asks about it. */
  readonly topic: string;
  readonly identity: Identity;
  /** Absent where nobody tells. */
  readonly qos?: number | undefined;
  readonly retain?: boolean | undefined;
}

/** Who asks, about whom. */
export interface Asker {
  readonly clientinfo: ClientInfo;
  /** What the broker answers without policies. */
  readonly brokersOwn: boolean;
  /** Address of the node. */
  readonly askedBy: string;
  /** The node tells of every subscription that it grants. */
  readonly isToldLater: boolean;
}

/** Answers whether a client may publish on a topic, subscribe to a filter, or receive a direct message. */
export function authorize(wish: Wish, asker: Asker, context: CallContext, span: HookSpan): ValuedResponse {
  const { clientinfo, brokersOwn, isToldLater } = asker;
  const { type, identity, qos, retain } = wish;
  const topicName = askedTopic(wish.topic, clientinfo.mountpoint);
  const asked = { identity, topicName, qos, traceId: span.traceId };
  switch (type) {
    case 'PUBLISH':
      return answer(mayPublish({ ...asked, retain, brokersOwn }, context), span);
    case 'SUBSCRIBE': {
      const receiving = receivingOn(topicName, clientinfo);
      return receiving === undefined
        ? answer(maySubscribe({ ...asked, topicFilter: topicName, brokersOwn, isToldLater }, context), span)
        : answer(
            mayReceive({ identity, traceId: span.traceId, topicName: receiving.topic, direct: true }, context),
            span,
          );
    }
    default:
      // A type of a later generation comes as its number.
      return DENY;
  }
}
