import { loadPolicySet } from '../../src/policy/policy-set.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import type { Identity } from '../../src/identity/identity.js';

const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '000000000000' };
const set = await loadPolicySet(new URL('../../policies', import.meta.url).pathname, SCOPE);
const authorizer = new PolicyAuthorizer(() => set);
const device = (name: string): Identity => ({ protocol: 'MQTT', clientId: name, username: name });
const backend: Identity = { protocol: 'HTTP', accessKeyId: 'AKIAIOSFODNN7EXAMPLE' };

test('the example policies load without any problem', () => {
  expect(set.problems).toEqual([]);
});

test('the backend may send commands to locks', () => {
  expect(authorizer.sendDirectMessage(backend, 'lock-17', 'cmd/open')).toEqual({
    effect: 'allow',
    cause: 'explicitAllow',
    action: 'iot:SendDirectMessage',
    resource: 'arn:aws:iot:us-east-1:000000000000:client/lock-17',
    principalId: 'backend',
    policy: 'backend',
    statement: 'CommandLocks',
    errors: [],
    policyVersion: set.version,
  });
});

test('the backend may not send firmware, nor to anything that is no lock', () => {
  expect(authorizer.sendDirectMessage(backend, 'lock-17', 'cmd/firmware/1')).toMatchObject({
    cause: 'explicitDeny',
    statement: 'NoFirmwareByDirectMessage',
  });
  expect(authorizer.sendDirectMessage(backend, 'camera-1', 'cmd/open')).toMatchObject({ cause: 'implicitDeny' });
});

test('the dashboard may read and may not send', () => {
  const dashboard: Identity = { protocol: 'HTTP', accessKeyId: 'AKIAI44QH8DHBEXAMPLE' };
  expect(authorizer.sendDirectMessage(dashboard, 'lock-17', 'cmd/open')).toMatchObject({ cause: 'implicitDeny' });
  expect(authorizer.decide(dashboard, 'iot:GetConnection', 'client/lock-17')).toMatchObject({ effect: 'allow' });
});

test('a lock connects as itself only, publishes its own state and receives commands', () => {
  expect(authorizer.connect(device('lock-17'))).toMatchObject({ effect: 'allow', principalId: 'lock' });
  expect(authorizer.connect({ ...device('lock-17'), clientId: 'lock-18' })).toMatchObject({ effect: 'deny' });
  expect(authorizer.publish(device('lock-17'), 'state/lock-17/battery')).toMatchObject({ effect: 'allow' });
  expect(authorizer.publish(device('lock-17'), 'state/lock-18/battery')).toMatchObject({ effect: 'deny' });
  expect(authorizer.receiveDirectMessage(device('lock-17'), 'cmd/open')).toMatchObject({ effect: 'allow' });
});

test('a retired lock may not receive commands', () => {
  expect(authorizer.receiveDirectMessage(device('lock-99'), 'cmd/open')).toMatchObject({
    effect: 'deny',
    cause: 'explicitDeny',
    principalId: 'retired-lock',
    policy: 'device-without-commands',
    statement: 'NoCommands',
  });
});

test('nobody stands for an unknown username', () => {
  expect(authorizer.connect(device('stranger'))).toMatchObject({ effect: 'deny', cause: 'noPrincipal' });
});
