/** What the questions answer, against every request there is over a small alphabet. */
import fc from 'fast-check';
import type { Identity } from '../../src/identity/identity.js';
import type { Action, Decision } from '../../src/policy/authorizer.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import { isTopicFilter } from '../../src/policy/matching/topics.js';
import { diffPolicies, type PolicyDiff } from '../../src/policy/questions/diff.js';
import { explain } from '../../src/policy/questions/explain.js';
import { resourceOf } from '../../src/policy/questions/requests.js';
import { PolicyLoadError } from '../../src/policy/reading/problems.js';
import { finish } from '../../src/policy/work.js';
import { runs } from '../long.js';
import type { RawStatement } from './support/reference.js';
import { ARN, policy, setOf } from './support/set.js';

const ALPHABET = ['a', 'b', '/'];
const words = (length: number): string[] =>
  length === 0 ? [''] : words(length - 1).flatMap((word) => ALPHABET.map((char) => word + char));
const NAMES = [...[1, 2].flatMap(words), 'aab', 'a/b', 'aba', 'abb', 'b/a'];
const IDS = ['a', 'b', 'ab', 'aa'];
const TOPICS = ['a', 'b', 'ab', '/', 'aa'];
const USERNAMES = ['a', 'b', 'ab', 'aa', '/'];

const QUESTIONED: readonly Action[] = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:SendDirectMessage'];
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
const textCondition = fc
  .tuple(
    fc.constantFrom('StringEquals', 'StringLike', 'StringNotLike', 'StringEqualsIfExists', 'StringNotEquals'),
    fc.constantFrom('iot:Topic', 'iot:Topic', 'iot:ClientId', 'aws:username', 'iot:Connection.Thing.ThingName'),
    tail,
  )
  .map(([operator, key, value]) => ({ [operator]: { [key]: value } }));
const attached = fc.constantFrom({ Bool: { 'iot:Connection.Thing.IsAttached': 'true' } });
const otherCondition = fc.constantFrom(
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

interface Raw {
  readonly policies: Readonly<Record<string, unknown>>;
  readonly principals: object;
}

/** Two sets of which the second is the first with some statements and matches changed. */
function pair(conditions: fc.Arbitrary<Condition>): fc.Arbitrary<readonly [Raw, Raw]> {
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
function setsOf(raw: readonly [Raw, Raw]): readonly [PolicySet, PolicySet] {
  try {
    const [before, after] = raw.map(({ policies, principals }) => setOf(policies, principals));
    return [before as PolicySet, after as PolicySet];
  } catch (error) {
    fc.pre(!(error instanceof PolicyLoadError));
    throw error;
  }
}

/** The effects that change for each principal and action, as `principal action effect`. */
function changesByForce([before, after]: readonly [PolicySet, PolicySet], facts: object): ReadonlySet<string> {
  const found = new Set<string>();
  const clock = (): number => 0;
  const engines = [before, after].map((set) => new PolicyAuthorizer(() => set, { clock })) as [
    PolicyAuthorizer,
    PolicyAuthorizer,
  ];
  const compare = (identity: Identity, action: Action, name: string, topic?: string): void => {
    const [one, other] = engines.map((engine) =>
      engine.decide(identity, action, resourceOf({ action, name }), topic === undefined ? undefined : { topic }),
    ) as [Decision, Decision];
    if (one.effect !== other.effect)
      found.add(`${other.principalId ?? one.principalId ?? ''} ${action} ${other.effect}`);
  };
  for (const username of USERNAMES) {
    for (const clientId of IDS) {
      const identity: Identity = { protocol: 'MQTT', username, clientId, ...facts };
      compare(identity, 'iot:Connect', clientId);
      for (const name of NAMES) {
        compare(identity, 'iot:Publish', name);
        if (isTopicFilter(name)) compare(identity, 'iot:Subscribe', name);
        for (const topic of TOPICS) compare(identity, 'iot:SendDirectMessage', name, topic);
      }
    }
  }
  return found;
}

function proveChanges({ changes }: PolicyDiff, [before, after]: readonly [PolicySet, PolicySet]): void {
  for (const { request, effect } of changes) {
    const { identity, context } = request;
    const answers = [before, after].map((set) => {
      const question = { identity, principal: set.resolve(identity), action: request.action };
      const facts = { overrides: context };
      return explain(set, { ...question, resource: resourceOf(request), facts }, RULES, () => 0).decision.effect;
    });
    expect(answers).toEqual(effect === 'allow' ? ['deny', 'allow'] : ['allow', 'deny']);
  }
}

const RULES = { receiveOnSubscribe: 'off', hashMatchesParent: true } as const;

/** Whatever changes by force is told, or the principal and action are among those about which nothing is promised. */
function holdsAgainstForce(sets: readonly [PolicySet, PolicySet], facts: object): PolicyDiff {
  const diff = finish(diffPolicies(...sets, { now: 0, budget: 50_000 }));
  proveChanges(diff, sets);
  const told = new Set(diff.changes.map(({ principal, action, effect }) => `${principal} ${action} ${effect}`));
  const open = new Set(diff.unclear.map(({ principal, action }) => `${principal} ${action}`));
  const missed = [...changesByForce(sets, facts)].filter(
    (change) => !told.has(change) && !open.has(change.replace(/ [a-z]+$/, '')),
  );
  expect(missed).toEqual([]);
  return diff;
}

test('a diff tells every change that there is, and proves each', () => {
  fc.assert(
    fc.property(pair(fc.oneof(fc.constant({}), textCondition, attached)), (raw) => {
      holdsAgainstForce(setsOf(raw), {});
    }),
    { numRuns: runs(40, 1_000) },
  );
});

test('with conditions about anything a diff never says wrongly that nothing changes', () => {
  const facts = fc.constantFrom(
    ...[{}, { sourceIp: '10.1.2.3' }, { sourceIp: '10.2.2.3', secureTransport: true }, { sourceIp: '192.0.2.1' }],
    ...[{ certificate: { commonName: '', distinguishedName: 'C=SE' } }, { secureTransport: false }],
  );
  fc.assert(
    fc.property(pair(fc.oneof(fc.constant({}), textCondition, otherCondition, otherCondition)), facts, (raw, given) => {
      holdsAgainstForce(setsOf(raw), given);
    }),
    { numRuns: runs(40, 1_000) },
  );
});
