import { reach, type Reach } from '../../src/policy/questions/reach.js';
import { whoCan } from '../../src/policy/questions/who-can.js';
import { lintStrictly } from '../../src/policy/questions/strict-lint.js';
import { finish } from '../../src/policy/work.js';
import { ARN, policy, setOf } from './support/set.js';

const allow = (action: string, resource: string, more: object = {}): object => ({
  ...{ Sid: action.slice(4), Effect: 'Allow', Action: action, Resource: `${ARN}${resource}` },
  ...more,
});
const PRINCIPALS = {
  principals: {
    backend: { match: { username: 'backend' }, policies: ['sender'] },
    lock: { match: { username: 'lock-*' }, policies: ['receiver'] },
  },
};

function reaches(receiver: readonly object[]): Reach {
  const policies = { sender: policy(allow('iot:SendDirectMessage', 'client/*')), receiver: policy(...receiver) };
  const set = setOf(policies, PRINCIPALS);
  return finish(reach(set, { clientId: 'lock-17', topic: 'cmd/open', sender: 'backend' }, { now: 0 }));
}

const CONNECT = allow('iot:Connect', 'client/${aws:username}');

test('a message gets through where one may send and who is connected so may receive', () => {
  expect(reaches([CONNECT, allow('iot:Receive', 'topic/cmd/*')])).toMatchObject({
    reaches: 'yes',
    senders: { grants: [{ principal: 'backend' }] },
    receivers: [{ principal: 'lock', who: { username: 'lock-17', clientId: 'lock-17' } }],
    unclear: [],
  });
});

test.each([
  ['nobody may receive', [CONNECT, allow('iot:Receive', 'topic/state')]],
  ['only another device may', [CONNECT, allow('iot:Receive', 'topic/cmd/*', { Condition: clientIs('lock-18') })]],
  ['nobody may be connected so', [allow('iot:Connect', 'client/lock-18'), allow('iot:Receive', 'topic/cmd/*')]],
])('no message gets through where %s', (_, statements) => {
  expect(reaches(statements)).toMatchObject({ reaches: 'no', receivers: [], unclear: [] });
});

test('where sender and receiver need different facts, nothing is promised', () => {
  const from = (address: string): object => ({ Condition: { IpAddress: { 'aws:SourceIp': address } } });
  const statements = [
    allow('iot:Connect', 'client/lock-17', from('10.0.0.1')),
    allow('iot:Receive', 'topic/cmd/open', from('10.0.0.2')),
  ];
  expect(reaches(statements)).toMatchObject({ reaches: 'unclear', unclear: [{ principal: 'lock' }] });
});

test('every place in the name at which a client ID can stand is told', () => {
  const set = setOf({ p: policy(allow('iot:Subscribe', 'topicfilter/*${iot:ClientId}*')) });
  const { grants } = finish(whoCan(set, { action: 'iot:Subscribe', name: 'a/b' }));
  expect(grants.map(({ who }) => who.clientId).sort()).toEqual(['/', '/b', 'a', 'a/', 'a/b', 'b']);
});

test('an Allow that takes in the topics of several neighbours is broader than these', () => {
  const warnings = (...statements: object[]): readonly string[] =>
    lintStrictly(setOf({ p: policy(...statements) })).map(({ message }) => message);
  const narrow = [allow('iot:Publish', 'topic/state/a'), allow('iot:Receive', 'topic/cmd/a')];
  expect(warnings(...narrow, allow('iot:Subscribe', 'topicfilter/cmd/a'))).toEqual([]);
  expect(warnings(...narrow, allow('iot:Subscribe', 'topicfilter/*'))).toEqual([
    `${ARN}topicfilter/* is broader than its neighbours: it takes in ${ARN}topic/state/a and ${ARN}topic/cmd/a, each allowed on its own`,
  ]);
});

function clientIs(id: string): object {
  return { StringEquals: { 'iot:ClientId': id } };
}
