import { readQuestion } from './question.js';
import { parseDirectTopic } from '../direct/topic.js';
import type { HookCall, HookOutcome } from '../observing/tracing.js';
import type { CallName, RequestOf } from './wire.js';

type Route = Pick<HookCall, 'sends' | 'receives'>;

/**
 * Which direct message a call is about, if about one: OnClientAuthorize on a direct topic asks about its sender
 * (PUBLISH) or its receiver (SUBSCRIBE, with the receiver's own client info).
 */
export function routeOf<Name extends CallName>(name: Name, request: RequestOf<Name>, serviceUsername: string): Route {
  if (name !== 'OnClientAuthorize') return {};
  const { topic: asked, type: askedType, clientinfo } = request as RequestOf<'OnClientAuthorize'>;
  const question = askedType === 'PUBLISH' ? readQuestion(asked) : undefined;
  const topic = question?.topic ?? asked;
  const type = question?.ask === 'subscribe' ? 'SUBSCRIBE' : askedType;
  const parsed = parseDirectTopic(topic);
  if (!parsed.ok || clientinfo === null) return {};
  const { address } = parsed;
  if (type === 'SUBSCRIBE') return clientinfo.clientid === address.targetClientId ? { receives: address } : {};
  // The service follows its own messages from the request that brought them.
  if (clientinfo.username === serviceUsername) return {};
  return { sends: { ...address, senderClientId: clientinfo.clientid } };
}

/** What a response says: a decision where it holds one. */
export function outcomeOf(response: object): HookOutcome {
  if (!('bool_result' in response)) return 'done';
  return response.bool_result === true ? 'allow' : 'deny';
}
