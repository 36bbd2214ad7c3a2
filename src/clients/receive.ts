import { isService, type ClientContext } from './context.js';
import type { OfClient, Verdict } from './verdict.js';

/** `identity` is the receiver's own, whoever sent the message. */
export interface ReceiveRequest extends OfClient {
  /** The topic on which it would receive: of a direct message the one in its address. */
  readonly topicName: string;
}

/** May the client receive a message on this topic? */
export function mayReceive({ identity, traceId, topicName }: ReceiveRequest, context: ClientContext): Verdict {
  if (isService(identity, context)) return { allowed: true };
  const decision = context.authorizer.receiveDirectMessage(identity, topicName);
  if (decision.effect === 'allow') return { allowed: true, decision };
  const reason = 'RECEIVER_NOT_AUTHORIZED';
  context.afterwards(() => {
    context.events.tell('Receive', { identity, traceId, clientId: identity.clientId, topicName, reason, decision });
  });
  return { allowed: false, reason, decision };
}
