import type { Identity } from '../../src/identity/identity.js';
import type { Decision } from '../../src/policy/authorizer.js';
import type { DirectMessageEvent } from '../../src/observing/events.js';

export const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';

export const backend: Identity = {
  protocol: 'HTTP',
  accessKeyId: 'AKIAEXAMPLE',
  sourceIp: '192.0.2.7',
  sourcePort: 40000,
};

export const device: Identity = {
  protocol: 'MQTT',
  clientId: 'lock-17',
  username: 'lock-17',
  sourceIp: '198.51.100.4',
  sourcePort: 50123,
};

export const allowed: Decision = {
  effect: 'allow',
  cause: 'explicitAllow',
  action: 'iot:SendDirectMessage',
  resource: 'arn:aws:iot:local:000000000000:client/lock-17',
  principalId: 'backend',
  policy: 'BackendCommands',
  statement: 'SendCommands',
  errors: [],
};

export const denied: Decision = {
  effect: 'deny',
  cause: 'implicitDeny',
  action: 'iot:SendDirectMessage',
  resource: 'arn:aws:iot:local:000000000000:client/lock-17',
  principalId: 'backend',
  errors: [],
};

export function delivered(overrides: Partial<DirectMessageEvent> = {}): DirectMessageEvent {
  return {
    traceId: TRACE_ID,
    sender: backend,
    message: { targetClientId: 'lock-17', topic: 'locks/17/open', confirmation: true, payloadBytes: 14 },
    reason: 'DELIVERED',
    durationMs: 12.3456,
    decision: allowed,
    ...overrides,
  };
}
