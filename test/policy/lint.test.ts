import { formatProblem } from '../../src/policy/reading/problems.js';
import { ARN, policy, setOf } from './support/set.js';

const good = { Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/a` };

/** Warnings that depend on the account and on the other statements. */
function warningsOf(...statements: object[]): string[] {
  return setOf({ p: policy(...statements) }).problems.map(formatProblem);
}

test.each<[what: string, statement: object, because: string]>([
  [
    'another kind of resource than its action has',
    { ...good, Action: 'iot:Subscribe' },
    'iot:Subscribe is about topicfilter/ resources, and it has none that matches one',
  ],
  [
    'a topic to which a direct message is sent',
    { ...good, Action: 'iot:SendDirectMessage' },
    'iot:SendDirectMessage is about client/ resources, and it has none that matches one',
  ],
  [
    'a list without resource',
    { ...good, Action: 'iot:ListRetainedMessages' },
    'iot:ListRetainedMessages is about * alone, and it has none that matches one',
  ],
])('a statement about %s never applies, which is a warning', (_, statement, because) => {
  expect(warningsOf(statement)).toEqual([`warning p.json (0) $.Statement[0]: the statement never applies: ${because}`]);
});

test.each([
  ['account', 'arn:aws:iot:us-east-1:999999999999:topic/a'],
  ['region', 'arn:aws:iot:eu-west-1:123456789012:topic/a'],
])('statements about another %s never apply, which is one warning a file', (_, Resource) => {
  const foreign = Array.from({ length: 4 }, (_item, index) => ({ ...good, Sid: `S${index}`, Resource }));
  expect(warningsOf(good, ...foreign)).toEqual([
    `warning p.json $.Statement: 4 of 5 statements (S0, S1, S2, ...) never apply: the service stands for ${ARN}, and they are about another account or region, as ${Resource}`,
  ]);
});

test.each(['a/+', '+/b', '#', 'a/#', 'a/+/b'])('the filter %s as a topic is a warning', (topic) => {
  const told =
    'warning p.json (0) $.Statement[0]: + and # are characters in a topic/ resource and stand for nothing else: * is any text, ? any character';
  expect(warningsOf({ ...good, Resource: `${ARN}topic/${topic}` })).toEqual([told]);
  expect(warningsOf({ ...good, Action: 'iot:Subscribe', Resource: `${ARN}topicfilter/${topic}` })).toEqual([]);
});

test('a topic that has a plus or a number sign in a level is none', () => {
  expect(warningsOf({ ...good, Resource: `${ARN}topic/a+b/c#` })).toEqual([]);
});

test.each<[what: string, connect: object]>([
  ['*', { Resource: '*' }],
  ['every client', { Resource: `${ARN}client/*` }],
  ['all but one', { NotResource: `${ARN}client/a` }],
])('a Connect on %s binds no client ID, which is a warning', (_, connect) => {
  expect(warningsOf({ Effect: 'Allow', Action: 'iot:Connect', ...connect })).toEqual([
    expect.stringMatching(/^warning p\.json \(0\) \$\.Statement\[0\]: it allows every client ID, so a client can take/),
  ]);
});

test.each<[what: string, connect: object]>([
  ['a pattern', { Resource: `${ARN}client/backend-*` }],
  ['a variable', { Resource: `${ARN}client/\${aws:username}` }],
  ['being attached', { Resource: '*', Condition: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } } }],
  ['a Deny', { Effect: 'Deny', Resource: '*' }],
])('a Connect by %s is no warning', (_, connect) => {
  expect(warningsOf({ Effect: 'Allow', Action: 'iot:Connect', ...connect })).toEqual([]);
});

test('a filter that matches one topic more than in AWS IoT Core is a warning where that topic may not be received', () => {
  const subscribe = {
    Effect: 'Allow',
    Action: 'iot:Subscribe',
    Resource: `${ARN}topicfilter/state/\${iot:ClientId}/#`,
  };
  const below = { Effect: 'Allow', Action: 'iot:Receive', Resource: `${ARN}topic/state/\${iot:ClientId}/*` };
  const parent = { Effect: 'Allow', Action: 'iot:Receive', Resource: `${ARN}topic/state/\${iot:ClientId}` };
  expect(warningsOf(subscribe, below)).toEqual([
    'warning p.json (0) $.Statement[0]: state/${iot:ClientId}/# also matches state/${iot:ClientId} here, unlike in AWS IoT Core, and no iot:Receive allows that topic',
  ]);
  expect(warningsOf(subscribe, below, parent)).toEqual([]);
});

test('a Deny of retaining alone is a warning: brokers do not tell of it', () => {
  const deny = { Effect: 'Deny', Action: 'iot:RetainPublish', Resource: `${ARN}topic/a` };
  expect(warningsOf(deny)).toEqual([
    'warning p.json (0) $.Statement[0]: without the plugin or the door brokers do not tell whether a publish is to be retained: there this Deny of iot:RetainPublish keeps nobody out',
  ]);
  expect(warningsOf({ ...deny, Effect: 'Allow' })).toEqual([]);
  expect(warningsOf({ ...deny, Action: ['iot:Publish', 'iot:RetainPublish'] })).toEqual([]);
});
