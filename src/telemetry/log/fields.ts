import type { EventRecord } from '../../observing/events.js';

/** What each field of a log line is. The type holds this list and the record equal. */
export const LOG_FIELDS = {
  logLevel: 'INFO for a success, ERROR for a failure.',
  timestamp: 'When it happened: ISO 8601, UTC; of a direct message over MQTT, by the broker’s clock.',
  accountId: 'The AWS account of the configuration, as in ARNs.',
  traceId: 'The trace: the same in the answer, on every line of one message, and in OpenTelemetry.',
  status: 'Success or Failure.',
  eventType: 'What happened, see below.',
  protocol: 'HTTP or MQTT: the door.',
  clientId: 'MQTT client ID of who acted; of an operation on a client, that client; else absent for HTTP callers.',
  principalId: 'The principal of principals.json who acted; where none stands for the caller, the credential.',
  topicName: 'Topic name, or topic filter of a subscription.',
  sourceIp: 'Address of who acted, as the server saw it.',
  sourcePort: 'Its port, where the broker tells it.',
  reason: 'What became of it, in one word: docs/reasons.md.',
  details:
    'What else is known, for people, in at most 1,024 characters where a client or caller caused it. Of a Disconnect, the reason in the words of the broker.',
  disconnectReason: 'Why a connection ended, in the words of AWS IoT.',
  targetClientId: 'MQTT client ID of the receiver of a direct message.',
  durationMs: 'From the request to its outcome, in milliseconds.',
  qos: 'QoS at which the receiver gets the message; of a subscription or publish, its own.',
  payloadBytes: 'Size of the payload, which itself is never logged.',
  policy: 'The policy that decided; absent where nothing matched.',
  statement: 'Its statement: the Sid, or the position in the policy.',
  action: 'Of a denial: what was asked, for `tightbeam policy explain`.',
  resource: 'Of a denial: on what.',
  cause: 'Of a denial: explicitDeny, implicitDeny, noPrincipal or error.',
  policyVersion: 'Of a PolicyReload: version of the set that was read.',
  policies: 'Of a PolicyReload: number of policies in it.',
  principals: 'Of a PolicyReload: number of principals in it.',
  broker: 'Of a BrokerConnection: address of the broker.',
} as const satisfies Record<keyof EventRecord | 'logLevel' | 'timestamp' | 'accountId', string>;
