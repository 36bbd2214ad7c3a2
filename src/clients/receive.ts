import { settle } from './enforcement.js';
import { isService, type ClientContext } from './context.js';
import type { OfClient, Verdict } from './verdict.js';

/** `identity` is the receiver's own, whoever sent the message. */
export interface ReceiveRequest extends OfClient {
  /** The topic on which it would receive: of a direct message the one in its address. */
  readonly topicName: string;
  /** Whether it is a direct message, for which policies always count. */
  readonly direct: boolean;
}

/** May the client receive a message on this topic? */
export function mayReceive({ identity, traceId, topicName, direct }: ReceiveRequest, context: ClientContext): Verdict {
  if (isService(identity, context)) return { allowed: true };
  const decision = context.authorizer.receiveDirectMessage(identity, topicName);
  const asked = { identity, traceId, clientId: identity.clientId, topicName };
  const verdict = settle({ decision, reason: 'RECEIVER_NOT_AUTHORIZED', asked, guarded: direct }, context);
  if (!verdict.allowed && direct) {
    const refusal = { ...asked, reason: verdict.reason, decision };
    context.refusals.add({ targetClientId: identity.clientId ?? '', topic: topicName }, refusal);
  } else if (!verdict.allowed) {
    context.afterwards(() => {
      context.events.tell('Receive', { ...asked, reason: verdict.reason, decision });
    });
  }
  return verdict;
}
