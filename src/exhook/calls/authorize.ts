import { isUnderDirect, parseDirectTopic } from '../../direct/topic.js';
import type { Identity } from '../../identity/identity.js';
import type { HookSpan } from '../../observing/tracing.js';
import { askedTopic, identityOf } from '../normalise.js';
import type { ValuedResponse } from '../wire.js';
import { ALLOW, DENY, type CallContext, type Handler } from './context.js';
import { realFilter } from '../../policy/matching/topics.js';

/**
 * PUBLISH on `$dm/{clientId}/{topic}` asks whether the client may send, SUBSCRIBE on it whether it may receive; all
 * other topics are ordinary MQTT. The request does not tell QoS and retain flag of a PUBLISH (exhook.v2.proto and
 * exhook.v3.proto, ClientAuthorizeRequest), so iot:RetainPublish cannot be asked here.
 */
export const onClientAuthorize: Handler<'OnClientAuthorize'> = (request, context, span) => {
  const { clientinfo, type } = request;
  if (clientinfo === null) return DENY;
  const identity = identityOf(clientinfo);
  const topic = askedTopic(request.topic, clientinfo.mountpoint);
  switch (type) {
    case 'PUBLISH':
      return isUnderDirect(topic)
        ? sendDirect(identity, topic, context, span)
        : publish(identity, topic, context, span);
    case 'SUBSCRIBE':
      return isUnderDirect(realFilter(topic))
        ? receiveDirect(identity, topic, context, span)
        : subscribe(identity, topic, context, span);
    default:
      // A type of a later generation comes as its number.
      return DENY;
  }
};

function publish(identity: Identity, topicName: string, context: CallContext, span: HookSpan) {
  // What callers of the HTTP API publish was authorized there, as theirs.
  if (identity.username === context.serviceUsername) return ALLOW;
  const { authorizer, events, afterwards } = context;
  const decision = authorizer.publish(identity, topicName);
  span.decided(decision);
  if (decision.effect === 'deny') {
    span.refused('PUBLISH_NOT_AUTHORIZED');
    afterwards(() => {
      events.tell('Publish-In', {
        identity,
        traceId: span.traceId,
        topicName,
        decision,
        reason: 'PUBLISH_NOT_AUTHORIZED',
      });
    });
  }
  return answer(decision.effect);
}

function subscribe(
  identity: Identity,
  topicName: string,
  { authorizer, events, afterwards }: CallContext,
  span: HookSpan,
) {
  const decision = authorizer.subscribe(identity, topicName);
  span.decided(decision);
  if (decision.effect === 'deny') span.refused('SUBSCRIBE_NOT_AUTHORIZED');
  const reason = decision.effect === 'deny' ? ({ reason: 'SUBSCRIBE_NOT_AUTHORIZED' } as const) : {};
  afterwards(() => {
    events.tell('Subscribe', { identity, traceId: span.traceId, topicName, decision, ...reason });
  });
  return answer(decision.effect);
}

/** A malformed direct topic is denied here too: nothing could be meant by it that a policy allows. */
function sendDirect(identity: Identity, topicName: string, context: CallContext, span: HookSpan): ValuedResponse {
  const { authorizer, events, afterwards } = context;
  if (identity.username === context.serviceUsername) return ALLOW;
  const parsed = parseDirectTopic(topicName);
  if (!parsed.ok) {
    const { reason, details } = parsed;
    const message = { targetClientId: '', topic: topicName };
    span.refused(reason);
    afterwards(() => {
      events.tell('SendDirectMessage', {
        traceId: span.traceId,
        sender: identity,
        message,
        reason,
        durationMs: 0,
        details,
      });
    });
    return DENY;
  }
  const decision = authorizer.sendDirectMessage(identity, parsed.address.targetClientId, parsed.address.topic);
  span.decided(decision);
  if (decision.effect === 'deny') {
    span.refused('SENDER_NOT_AUTHORIZED');
    // Of an admitted message the broker reports the outcome; of this one there is nothing else to report. The call
    // tells neither QoS nor payload.
    afterwards(() => {
      events.tell('SendDirectMessage', {
        traceId: span.traceId,
        sender: identity,
        message: parsed.address,
        reason: 'SENDER_NOT_AUTHORIZED',
        durationMs: 0,
        decision,
      });
    });
  }
  return answer(decision.effect);
}

/**
 * May the client receive? The broker asks this with the receiver's own client info, so a client can only be asked about
 * itself: everything else under `$dm/`, wildcards too, is a real subscription, and those do not exist.
 */
function receiveDirect(identity: Identity, topicName: string, context: CallContext, span: HookSpan): ValuedResponse {
  const { authorizer, events, afterwards } = context;
  const parsed = parseDirectTopic(topicName);
  if (!parsed.ok || parsed.address.targetClientId !== identity.clientId || /[+#]/.test(parsed.address.topic)) {
    span.refused('SUBSCRIBE_NOT_AUTHORIZED');
    afterwards(() => {
      events.tell('Subscribe', {
        identity,
        traceId: span.traceId,
        topicName,
        reason: 'SUBSCRIBE_NOT_AUTHORIZED',
        details: 'Nobody can subscribe under $dm/.',
      });
    });
    return DENY;
  }
  if (identity.username === context.serviceUsername) return ALLOW;
  const { topic } = parsed.address;
  const decision = authorizer.receiveDirectMessage(identity, topic);
  span.decided(decision);
  if (decision.effect === 'deny') {
    span.refused('RECEIVER_NOT_AUTHORIZED');
    afterwards(() => {
      events.tell('Receive', {
        traceId: span.traceId,
        identity,
        clientId: parsed.address.targetClientId,
        topicName: topic,
        reason: 'RECEIVER_NOT_AUTHORIZED',
        decision,
      });
    });
  }
  return answer(decision.effect);
}

function answer(effect: 'allow' | 'deny'): ValuedResponse {
  return effect === 'allow' ? ALLOW : DENY;
}
