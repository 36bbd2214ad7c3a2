/**
 * Names of the OpenTelemetry semantic conventions, version 1.45.0, that are not yet stable there and so are not in the
 * stable part of `@opentelemetry/semantic-conventions`: messaging and the Node.js runtime ("Development"). Everything
 * of Tightbeam's own begins with `tightbeam.`.
 */
export const SEMCONV_SCHEMA_URL = 'https://opentelemetry.io/schemas/1.45.0';

export const Messaging = {
  System: 'messaging.system',
  OperationName: 'messaging.operation.name',
  OperationType: 'messaging.operation.type',
  DestinationName: 'messaging.destination.name',
  DestinationTemplate: 'messaging.destination.template',
  ClientId: 'messaging.client.id',
  MessageBodySize: 'messaging.message.body.size',
  ClientOperationDuration: 'messaging.client.operation.duration',
} as const;

/** The direct topic with its variable parts named: the low-cardinality name of every direct message's destination. */
export const DIRECT_TEMPLATE = '$dm/{clientId}/{topic}';

export const Own = {
  Reason: 'tightbeam.reason',
  Door: 'tightbeam.door',
  TargetClientId: 'tightbeam.target.client_id',
  Topic: 'tightbeam.topic',
  Qos: 'tightbeam.qos',
  Role: 'tightbeam.authorize.role',
  Outcome: 'tightbeam.hook.outcome',
  Effect: 'tightbeam.decision.effect',
  Cause: 'tightbeam.decision.cause',
  Action: 'tightbeam.decision.action',
  Resource: 'tightbeam.decision.resource',
  Policy: 'tightbeam.decision.policy',
  Statement: 'tightbeam.decision.statement',
  Principal: 'tightbeam.decision.principal',
  Written: 'tightbeam.written',
  DeviceCode: 'tightbeam.device.code',
  DeviceReason: 'tightbeam.device.reason',
  /** Of a repeat: the trace whose attempt was answered. */
  FirstTraceId: 'tightbeam.first_trace_id',
} as const;

/** Fully-qualified `rpc.method` of a hook call. */
export function rpcMethod(generation: string, name: string): string {
  return `emqx.exhook.${generation}.HookProvider/${name}`;
}
