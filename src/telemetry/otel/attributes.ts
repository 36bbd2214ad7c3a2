import type { Attributes } from '@opentelemetry/api';
import {
  ATTR_CLIENT_ADDRESS,
  ATTR_CLIENT_PORT,
  ATTR_HTTP_REQUEST_METHOD,
  ATTR_HTTP_REQUEST_METHOD_ORIGINAL,
  ATTR_RPC_METHOD,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_URL_PATH,
  ATTR_URL_SCHEME,
  RPC_SYSTEM_NAME_VALUE_GRPC,
} from '@opentelemetry/semantic-conventions';
import type { Delivery } from '../../direct/delivery.js';
import { formatDirectTopic } from '../../direct/topic.js';
import type { Decision } from '../../policy/authorizer.js';
import type { HookCall, IncomingRequest, MessageFacts, MessagePassage } from '../../observing/tracing.js';
import { DIRECT_TEMPLATE, Messaging, Own, rpcMethod } from './conventions.js';

/** Methods that the HTTP conventions know: RFC 9110 and PATCH. Any other is `_OTHER`, so that callers make no labels. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH']);

export function httpMethod(method: string): string {
  return METHODS.has(method) ? method : '_OTHER';
}

export function requestAttributes(incoming: IncomingRequest): Attributes {
  const method = httpMethod(incoming.method);
  const { sourceIp, sourcePort } = incoming;
  return {
    [ATTR_HTTP_REQUEST_METHOD]: method,
    ...(method === incoming.method ? {} : { [ATTR_HTTP_REQUEST_METHOD_ORIGINAL]: incoming.method }),
    [ATTR_URL_SCHEME]: incoming.scheme,
    [ATTR_URL_PATH]: incoming.path,
    ...(sourceIp === undefined ? {} : { [ATTR_CLIENT_ADDRESS]: sourceIp }),
    ...(sourcePort === undefined ? {} : { [ATTR_CLIENT_PORT]: sourcePort }),
  };
}

export function messageAttributes(message: MessageFacts, door: 'HTTP' | 'MQTT'): Attributes {
  const { confirmation, payloadBytes } = message;
  return {
    [Messaging.System]: 'mqtt',
    [Messaging.OperationName]: 'send',
    [Messaging.OperationType]: 'send',
    [Messaging.DestinationTemplate]: DIRECT_TEMPLATE,
    [Messaging.DestinationName]: formatDirectTopic(message),
    [Own.Door]: door,
    [Own.TargetClientId]: message.targetClientId,
    [Own.Topic]: message.topic,
    ...(confirmation === undefined ? {} : { [Own.Qos]: confirmation ? 1 : 0 }),
    ...(payloadBytes === undefined ? {} : { [Messaging.MessageBodySize]: payloadBytes }),
  };
}

export function passageAttributes(passage: MessagePassage, operation: string): Attributes {
  const { clientId, topicName, qos, payloadBytes } = passage;
  return {
    [Messaging.System]: 'mqtt',
    [Messaging.OperationName]: operation,
    [Messaging.DestinationName]: topicName,
    [Messaging.MessageBodySize]: payloadBytes,
    [Own.Qos]: qos,
    ...(clientId === undefined ? {} : { [Messaging.ClientId]: clientId }),
  };
}

/** Name of the span of a direct message (messaging conventions: operation, then the destination's template). */
export const MESSAGE_SPAN = `send ${DIRECT_TEMPLATE}`;

export function hookAttributes(call: HookCall): Attributes {
  const address = call.sends ?? call.receives;
  return {
    [ATTR_RPC_SYSTEM_NAME]: RPC_SYSTEM_NAME_VALUE_GRPC,
    [ATTR_RPC_METHOD]: rpcMethod(call.generation, call.name),
    ...(address === undefined
      ? {}
      : {
          [Own.Role]: call.sends === undefined ? 'receiver' : 'sender',
          [Own.TargetClientId]: address.targetClientId,
          [Own.Topic]: address.topic,
        }),
  };
}

/** What became of a delivery, beside its reason. */
export function deliveryAttributes({ written, device, firstTraceId }: Partial<Delivery>): Attributes {
  return {
    ...(written !== undefined && { [Own.Written]: written }),
    ...(device !== undefined && { [Own.DeviceCode]: device.code }),
    ...(device?.reasonString !== undefined && { [Own.DeviceReason]: device.reasonString }),
    ...(firstTraceId !== undefined && { [Own.FirstTraceId]: firstTraceId }),
  };
}

export function decisionAttributes(decision: Decision): Attributes {
  const { principalId, policy, statement } = decision;
  return {
    [Own.Effect]: decision.effect,
    [Own.Cause]: decision.cause,
    [Own.Action]: decision.action,
    [Own.Resource]: decision.resource,
    ...(principalId === undefined ? {} : { [Own.Principal]: principalId }),
    ...(policy === undefined ? {} : { [Own.Policy]: policy }),
    ...(statement === undefined ? {} : { [Own.Statement]: statement }),
  };
}
