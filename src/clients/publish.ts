import { isUnderDirect } from '../direct/topic.js';
import { isGuardedTopic, settle } from './enforcement.js';
import { isService, type ClientContext } from './context.js';
import { isLifecycleTopic, isUnderQuestions, NO_CLIENT_PUBLISHES, NO_CLIENT_THERE } from './reserved.js';
import { maySend } from './send.js';
import type { BrokersWord, OfClient, Verdict } from './verdict.js';

/** A message of a client, as far as the broker tells of it. */
export interface MessageOfClient extends OfClient {
  readonly topicName: string;
  readonly qos?: number | undefined;
  readonly payloadBytes?: number | undefined;
}

export interface PublishRequest extends MessageOfClient, BrokersWord {
  /** Absent where the broker does not tell: then iot:RetainPublish cannot be asked. */
  readonly retain?: boolean | undefined;
}

/** May the client publish? Nobody can under `$tightbeam/` and `$aws/events/`; under `$dm/` the question is whether it may send a direct message. */
export function mayPublish(request: PublishRequest, context: ClientContext): Verdict {
  if (isUnderDirect(request.topicName)) return maySend(request, context);
  const { identity, traceId, topicName, qos, payloadBytes, retain, brokersOwn } = request;
  // What callers of the HTTP API publish was authorized there, as theirs.
  if (isService(identity, context)) return { allowed: true };
  const reason = 'PUBLISH_NOT_AUTHORIZED';
  const isLifecycle = isLifecycleTopic(topicName);
  if (isLifecycle || isUnderQuestions(topicName)) {
    const details = isLifecycle ? NO_CLIENT_PUBLISHES : NO_CLIENT_THERE;
    context.afterwards(() => {
      const event = { identity, traceId, topicName, qos, payloadBytes, reason, details } as const;
      context.events.tell('Publish-In', event);
    });
    return { allowed: false, reason };
  }
  const decision = context.authorizer.publish(identity, topicName, retain === undefined ? undefined : { retain });
  const asked = { identity, traceId, topicName, qos, payloadBytes, retain };
  const verdict = settle({ decision, reason, asked, brokersOwn, guarded: isGuardedTopic(topicName) }, context);
  if (!verdict.allowed) {
    const { details } = verdict;
    context.afterwards(() => {
      context.events.tell('Publish-In', { ...asked, decision: verdict.decision, reason, details });
    });
  }
  return verdict;
}

/** A client has published. */
export function tellPublished(
  { identity, traceId, topicName, qos, payloadBytes }: MessageOfClient,
  { afterwards, events }: ClientContext,
): void {
  afterwards(() => {
    events.tell('Publish-In', { identity, traceId, topicName, qos, payloadBytes });
  });
}
