/**
 * Inputs that are meant to be expensive. Each test would not end within its time if the cost grew faster than the input.
 */
import { matchTokens, parsePattern, PatternError, type PlainToken } from '../../src/policy/matching/pattern.js';
import { CompiledPolicies } from '../../src/policy/deciding/compile.js';
import { RequestContext } from '../../src/policy/conditions/context.js';
import { parsePolicy, type PolicyDocument } from '../../src/policy/reading/document.js';
import { Reporter, type Problem } from '../../src/policy/reading/problems.js';
import { SEARCH_BUDGET, searchTopics } from '../../src/policy/deciding/subscription.js';
import { ARN, authorizerOf, policy } from './support/set.js';

const MQTT = { protocol: 'MQTT', username: 'u', clientId: 'c' } as const;
const TOPIC = 'a'.repeat(65_535);

function matches(pattern: string, text: string): boolean {
  return matchTokens(parsePattern(pattern, { wildcards: true, variables: true }).tokens as PlainToken[], text);
}

test.each([
  ['many asterisks', `${'*a'.repeat(5_000)}*b`],
  ['many asterisks with longer texts', `${'*aaaaaaa'.repeat(1_000)}*b`],
  ['a long text after an asterisk', `*${'a'.repeat(9_000)}b`],
  ['a long text between asterisks', `*${'a'.repeat(4_500)}b${'a'.repeat(4_500)}*`],
  ['asterisks and question marks in turn', `${'*?'.repeat(5_000)}b`],
  ['a stretch with question marks', `*${'a?'.repeat(127)}ab`],
])('%s do not match the longest topic of MQTT in the end, and soon say so', (_, pattern) => {
  expect(matches(pattern, TOPIC)).toBe(false);
});

test('many asterisks still match where they can', () => {
  expect(matches('*a'.repeat(5_000), TOPIC)).toBe(true);
  expect(matches(`*${'a'.repeat(9_000)}*`, TOPIC)).toBe(true);
});

test.each([
  ['a stretch with ? of over 256 characters', `*${'a?'.repeat(129)}*`],
  ['a text of over 10,240 characters', 'a'.repeat(10_241)],
  ['over 64 variables', '${aws:username}'.repeat(65)],
  ['half of a surrogate pair', '\ud83d'],
])('%s is refused', (_, pattern) => {
  expect(() => parsePattern(pattern, { wildcards: true, variables: true })).toThrow(PatternError);
});

test('client IDs and topics that are made for each other do not slow a pattern with a variable', () => {
  const authorizer = authorizerOf({
    p: policy({ Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/*x\${iot:ClientId}y*` }),
  });
  const identity = { ...MQTT, clientId: 'xa'.repeat(512) };
  for (let round = 0; round < 20; round++) {
    expect(authorizer.publish(identity, 'xa'.repeat(32_000)).effect).toBe('deny');
  }
});

test('ten thousand statements with one beginning are loaded, decided and subscribed to', () => {
  const statements = Array.from({ length: 10_000 }, (_, index) => ({
    Effect: 'Allow',
    Action: ['iot:Receive', 'iot:Subscribe'],
    Resource: [`${ARN}topic/${'a/'.repeat(index % 100)}${index}/*`, `${ARN}topicfilter/*`],
  }));
  const authorizer = authorizerOf({ p: policy(...statements) });
  expect(authorizer.receiveDirectMessage(MQTT, '9900/x')).toMatchObject({ effect: 'allow', statement: '9900' });
  expect(authorizer.subscribe(MQTT, '9900/+')).toMatchObject({ effect: 'allow' });
  expect(authorizer.subscribe(MQTT, '#').effect).toBe('deny');
});

test('ten thousand patterns that each begin with the one before are a deep tree, and no deep recursion', () => {
  const statements = Array.from({ length: 5_000 }, (_, index) => ({
    Effect: 'Allow',
    Action: 'iot:Publish',
    Resource: `${ARN}topic/${'a'.repeat(index)}`,
  }));
  const authorizer = authorizerOf({ p: policy(...statements) });
  expect(authorizer.publish(MQTT, 'a'.repeat(4_999))).toMatchObject({ effect: 'allow', statement: '4999' });
  expect(authorizer.publish(MQTT, 'a'.repeat(5_000))).toMatchObject({ effect: 'deny' });
});

test('many asterisks in the prefix of an ARN do not multiply', () => {
  const Resource = Array.from({ length: 200 }, (_, index) => `arn:${'*?'.repeat(1_000)}:::::topic/${index}`);
  const authorizer = authorizerOf({ p: policy({ Effect: 'Allow', Action: '*', Resource }) });
  expect(authorizer.publish(MQTT, '7').effect).toBe('deny');
});

/** The problems of a text that is no policy. */
function problemsOf(text: string): readonly Problem[] {
  const problems: Problem[] = [];
  parsePolicy('p', text, new Reporter(problems, 'p.json'));
  return problems;
}

test('deep nesting is read and refused', () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  expect(problemsOf(`{"Version":"2012-10-17","Statement":${deep}}`).length).toBeGreaterThan(0);
  const condition = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
  const statement = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":${condition}}`;
  expect(problemsOf(`{"Version":"2012-10-17","Statement":[${statement}]}`).length).toBeGreaterThan(0);
});

test('megabytes of one name, and names within names, are refused with a list that stays short', () => {
  const statement = (elements: string): string => `{"Version":"2012-10-17","Statement":[{${elements}}]}`;
  const twice = problemsOf(statement(Array(500_000).fill('"Effect":"Deny"').join()));
  expect(twice.filter(({ message }) => message.includes('each element once'))).toHaveLength(20);
  const deep = problemsOf(statement(`${'"a":{'.repeat(100_000)}"b":1,"b":2${'}'.repeat(100_000)}`));
  expect(deep[0]).toMatchObject({
    path: '$.Statement[0].a.a.a.a.a.a',
    message: 'expected each element once, found "b" again at line 1, column 500045',
  });
});

test('more than 16 MiB are refused without being parsed', () => {
  expect(problemsOf('['.repeat(16 * 1024 * 1024 + 1)).map(({ message }) => message)).toEqual([
    'expected at most 16777216 characters, found 16777217',
  ]);
});

const everyone = { Effect: 'Allow', Action: ['iot:Subscribe', 'iot:Receive'], Resource: '*' };
const deny = (patterns: string[]): object => ({
  Effect: 'Deny',
  Action: 'iot:Receive',
  Resource: patterns.map((pattern) => `${ARN}topic/${pattern}`),
});
const letter = (index: number): string => String.fromCharCode('a'.charCodeAt(0) + (index % 26));

test.each<[what: string, filter: string, patterns: string[]]>([
  [
    'question marks after asterisks',
    '#',
    Array.from({ length: 12 }, (_, at) => `*${letter(at % 3)}${'?'.repeat(20 + at)}never/${'z'.repeat(200)}`),
  ],
  [
    'many characters told apart in many patterns',
    '+/+/+/+/+',
    Array.from({ length: 40 }, (_, at) => `*${letter(at)}*${letter(at * 7)}*${at}zz`),
  ],
  ['levels of many names', '+/+/+/+/+', Array.from({ length: 20 }, (_, at) => `*/site-${at}/*/secret-${at * 7}/*`)],
])('a filter against %s is denied at a bounded cost, and says why', (_, filter, patterns) => {
  const authorizer = authorizerOf({ p: policy(everyone, deny(patterns)) });
  expect(authorizer.subscribe(MQTT, filter)).toMatchObject({
    effect: 'deny',
    cause: 'error',
    errors: ['the filter is too complex to decide what it may receive'],
  });
  const rules = new CompiledPolicies([read(everyone, deny(patterns))], ARN);
  const { kind, cost } = searchTopics(rules, filter, 'denied', true, new RequestContext(MQTT, Date.now));
  expect(kind).toBe('undecided');
  // One more step is begun at the most: each pattern is at every place of it in the worst.
  expect(cost).toBeLessThan(SEARCH_BUDGET + 3 * patterns.join('').length);
});

/** The policy of those statements. */
function read(...statements: object[]): PolicyDocument {
  const document = parsePolicy('p', JSON.stringify(policy(...statements)), new Reporter([], 'p.json'));
  if (document === undefined) throw new Error('The policy is not valid.');
  return document;
}
