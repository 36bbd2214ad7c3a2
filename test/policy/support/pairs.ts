/** Random pairs of policy sets over a small alphabet, and every request over it. */
import fc from 'fast-check';
import type { Action } from '../../../src/policy/authorizer.js';
import type { PolicySet } from '../../../src/policy/policy-set.js';
import { PolicyLoadError } from '../../../src/policy/reading/problems.js';
import type { RawStatement } from './reference.js';
import { ARN, policy, setOf } from './set.js';

const ALPHABET = ['a', 'b', '/'];
const words = (length: number): string[] =>
  length === 0 ? [''] : words(length - 1).flatMap((word) => ALPHABET.map((char) => word + char));
export const NAMES = [...[1, 2].flatMap(words), 'aab', 'a/b', 'aba', 'abb', 'b/a'];
export const IDS = ['a', 'b', 'ab', 'aa'];
export const TOPICS = ['a', 'b', 'ab', '/', 'aa'];
export const USERNAMES = ['a', 'b', 'ab', 'aa', '/'];

export const QUESTIONED: readonly Action[] = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:SendDirectMessage'];
const piece = fc.constantFrom(
  ...['a', 'b', '/', 'ab', '*', '*', '?'],
  ...['${iot:ClientId}', '${aws:username}', '${iot:Connection.Thing.ThingName}'],
);
const tail = fc.array(piece, { minLength: 1, maxLength: 3 }).map((pieces) => pieces.join(''));
const kind = fc.constantFrom('client', 'topic', 'topicfilter');
const resource = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(kind, tail).map(([type, text]) => `${ARN}${type}/${text}`) },
  { weight: 1, arbitrary: fc.constantFrom('*', `${ARN}*`) },
);
export const textCondition = fc
  .tuple(
    fc.constantFrom('StringEquals', 'StringLike', 'StringNotLike', 'StringEqualsIfExists', 'StringNotEquals'),
    fc.constantFrom('iot:Topic', 'iot:Topic', 'iot:ClientId', 'aws:username', 'iot:Connection.Thing.ThingName'),
    tail,
  )
  .map(([operator, key, value]) => ({ [operator]: { [key]: value } }));
export const attached = fc.constantFrom({ Bool: { 'iot:Connection.Thing.IsAttached': 'true' } });
export const otherCondition = fc.constantFrom(
  { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } },
  { NotIpAddress: { 'aws:SourceIp': ['10.1.0.0/16'] } },
  { Bool: { 'aws:SecureTransport': 'true' } },
  { StringEquals: { 'iot:Certificate.Subject.Country': 'SE' } },
  { Null: { 'aws:SourceIp': 'false' } },
);
type Condition = Readonly<Record<string, object>>;

function statement(conditions: fc.Arbitrary<Condition>): fc.Arbitrary<RawStatement> {
  return fc
    .record({
      Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
      Action: fc.subarray([...QUESTIONED, 'iot:*'], { minLength: 1, maxLength: 3 }),
      key: fc.constantFrom('Resource', 'Resource', 'Resource', 'Resource', 'NotResource'),
      resources: fc.array(resource, { minLength: 1, maxLength: 2 }),
      Condition: conditions,
    })
    .map(({ Effect, Action, key, resources, Condition }) => {
      return { Sid: '', Effect, Action, [key]: resources, Condition } as unknown as RawStatement;
    });
}

const match = fc.constantFrom<object>(
  ...[{ username: 'a' }, { username: 'a*' }, { username: '*' }, { username: '?' }, { username: 'ab', clientId: 'a*' }],
);
const thing = fc.constantFrom<object>({}, { thing: { name: '${username}' } }, { thing: { name: 'a' } });

export interface Raw {
  readonly policies: Readonly<Record<string, unknown>>;
  readonly principals: object;
}

/** Two sets of which the second is the first with some statements and matches changed. */
export function pair(conditions: fc.Arbitrary<Condition>): fc.Arbitrary<readonly [Raw, Raw]> {
  const one = statement(conditions);
  const list = fc.array(one, { minLength: 1, maxLength: 4 });
  return fc
    .record({
      common: fc.array(one, { maxLength: 3 }),
      old: list,
      recent: list,
      matches: fc.tuple(match, match, thing),
      moved: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: match }),
    })
    .map(({ common, old, recent, matches: [first, second, things], moved }) => {
      const make = (statements: readonly RawStatement[], own: object): Raw => {
        const numbered = (items: readonly RawStatement[]): object =>
          policy(...items.map((item, index) => ({ ...item, Sid: `S${index}` })));
        const others =
          JSON.stringify(own) === JSON.stringify(second) ? {} : { other: { match: second, policies: ['q'] } };
        return {
          policies: { p: numbered([...common, ...statements]), q: numbered(old) },
          principals: { principals: { p: { match: own, policies: ['p'], ...things }, ...others } },
        };
      };
      return [make(old, first), make(recent, moved ?? first)] as const;
    });
}

/** The sets, unless a match is ambiguous. */
export function setsOf(raw: readonly [Raw, Raw]): readonly [PolicySet, PolicySet] {
  try {
    const [before, after] = raw.map(({ policies, principals }) => setOf(policies, principals));
    return [before as PolicySet, after as PolicySet];
  } catch (error) {
    fc.pre(!(error instanceof PolicyLoadError));
    throw error;
  }
}
