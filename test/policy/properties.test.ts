import fc from 'fast-check';
import type { Action } from '../../src/policy/authorizer.js';
import type { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { runs } from '../long.js';
import { filterMatches, referenceDecision, type Facts, type RawStatement } from './support/reference.js';
import { ARN, authorizerOf, policy } from './support/set.js';

const ACTIONS: readonly Action[] = ['iot:Publish', 'iot:Receive', 'iot:Subscribe', 'iot:SendDirectMessage'];
const TYPES = { 'iot:Publish': 'topic', 'iot:Receive': 'topic', 'iot:Subscribe': 'topicfilter' } as const;

/** Few characters, so that patterns and names meet often. */
const name = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*', '?', '$', '😀'), minLength: 1, maxLength: 6 });
const topicName = fc.string({ unit: fc.constantFrom('a', 'b', '/', '$', 'é'), minLength: 1, maxLength: 6 });
const piece = fc.constantFrom(
  ...['a', 'b', 'ab', '/', '*', '*', '?', '${*}', '${$}', '😀'],
  ...['${iot:ClientId}', '${iot:Connection.Thing.ThingName}', "${iot:Connection.Thing.Attributes[x], 'a'}"],
);
const tail = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''));
const prefix = fc.constantFrom(
  ...[`${ARN}topic/`, `${ARN}topic/`, `${ARN}topic/`, `${ARN}client/`, `${ARN}topicfilter/`],
  ...['arn:aws:iot:*:*:topic/', 'arn:*:i?t:*:*:', `arn:aws:iot:us-east-?:123456789012:topic`, `${ARN}*`],
);
const arn = fc.oneof(
  { weight: 9, arbitrary: fc.tuple(prefix, tail).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.constantFrom('*', 'arn:*', 'arn:aws:iot:us-*', 'arn:*:iot:*') },
);
const actions = fc.subarray([...ACTIONS, 'iot:*', 'iot:*e', '*'], { minLength: 1, maxLength: 3 });
const conditionKey = fc.constantFrom(
  'iot:ClientId',
  'iot:Connection.Thing.ThingName',
  'iot:Connection.Thing.Attributes[x]',
);
const condition = fc.oneof(
  fc.tuple(
    fc.constantFrom('StringEquals', 'StringNotEquals', 'StringLike', 'StringNotLike', 'StringLikeIfExists'),
    conditionKey,
    fc.array(tail, { minLength: 1, maxLength: 2 }),
  ),
  fc.tuple(
    fc.constantFrom('NumericEquals', 'NumericNotEquals', 'NumericLessThan'),
    fc.constant('iot:Connection.Thing.Attributes[x]'),
    fc.array(fc.constantFrom('1', '2'), { minLength: 1, maxLength: 2 }),
  ),
  fc.tuple(
    fc.constant('Null'),
    conditionKey,
    fc.array(fc.constantFrom('true', 'false'), { minLength: 1, maxLength: 1 }),
  ),
);
const conditions = fc
  .array(condition, { maxLength: 2 })
  .map((list) => Object.fromEntries(list.map(([operator, key, values]) => [operator, { [key]: values }])));

const statement: fc.Arbitrary<Omit<RawStatement, 'Sid'>> = fc
  .record({
    Effect: fc.constantFrom('Allow', 'Allow', 'Deny'),
    actions: fc.tuple(fc.constantFrom('Action', 'Action', 'NotAction'), actions),
    resources: fc.tuple(
      fc.constantFrom('Resource', 'Resource', 'Resource', 'NotResource'),
      fc.array(arn, { minLength: 1, maxLength: 3 }),
    ),
    Condition: conditions,
  })
  .map(({ Effect, actions: [action, names], resources: [resource, arns], Condition }) => {
    return { Effect: Effect, [action]: names, [resource]: arns, Condition };
  });
const statements = fc
  .array(statement, { minLength: 1, maxLength: 12 })
  .map((list) => list.map((item, index): RawStatement => ({ Sid: `S${index}`, ...item })));

interface Who {
  readonly clientId?: string;
  readonly thing?: string;
  readonly attribute?: string;
  readonly exclusive?: boolean;
}
const who: fc.Arbitrary<Who> = fc.record(
  {
    clientId: fc.oneof(name, fc.constantFrom('a', 'ab')),
    thing: fc.constantFrom('a', 'ab', 'b'),
    attribute: fc.constantFrom('1', '2', 'a', 'b/'),
    exclusive: fc.boolean(),
  },
  { requiredKeys: [] },
);

function factsOf({ clientId, thing, attribute, exclusive }: Who): Facts {
  const attached = exclusive === true || clientId === thing ? thing : undefined;
  return {
    'iot:ClientId': clientId,
    'iot:Connection.Thing.ThingName': attached,
    'iot:Connection.Thing.Attributes[x]': attached === undefined ? undefined : attribute,
  };
}

/** An authorizer of one principal with one policy. */
function engine(list: readonly RawStatement[], { thing, attribute, exclusive }: Who): PolicyAuthorizer {
  const attributes = attribute === undefined ? {} : { x: attribute };
  const principal = {
    match: { username: 'u' },
    policies: ['p'],
    ...(thing === undefined
      ? {}
      : { thing: { name: thing, attributes, ...(exclusive !== undefined && { exclusive }) } }),
  };
  return authorizerOf({ p: policy(...list) }, {}, { principals: { someone: principal } });
}

function identity({ clientId }: Who): { protocol: 'MQTT'; username: string; clientId?: string } {
  return { protocol: 'MQTT', username: 'u', ...(clientId === undefined ? {} : { clientId }) };
}

function effects(list: readonly RawStatement[], person: Who, action: Action, resource: string): string {
  return engine(list, person).decide(identity(person), action, resource).effect;
}

const request = fc
  .tuple(fc.constantFrom(...ACTIONS), name, fc.constantFrom('client', 'topic'))
  .map(([action, text, other]) => ({
    action,
    resource: `${action in TYPES ? TYPES[action as keyof typeof TYPES] : other}/${text}`,
  }));

test('the compiled index and a plain reading of the statements make the same decision', () => {
  fc.assert(
    fc.property(statements, who, request, (list, person, { action, resource }) => {
      const decision = engine(list, person).decide(identity(person), action, resource);
      const expected = referenceDecision(list, action, `${ARN}${resource}`, factsOf(person));
      expect({ effect: decision.effect, cause: decision.cause, statement: decision.statement }).toEqual({
        statement: undefined,
        ...expected,
      });
      expect(decision.errors.length > 0).toBe(decision.cause === 'error');
    }),
    { numRuns: runs(200, 5_000) },
  );
});

test('adding an Allow never turns allow into deny', () => {
  fc.assert(
    fc.property(statements, statement, who, request, (list, added, person, { action, resource }) => {
      fc.pre(effects(list, person, action, resource) === 'allow');
      const more = [...list, { ...added, Sid: 'Added', Effect: 'Allow' as const }];
      expect(effects(more, person, action, resource)).toBe('allow');
    }),
    { numRuns: runs(100, 2_000) },
  );
});

test('adding a Deny never turns deny into allow', () => {
  fc.assert(
    fc.property(statements, statement, who, request, (list, added, person, { action, resource }) => {
      fc.pre(effects(list, person, action, resource) === 'deny');
      const more = [{ ...added, Sid: 'Added', Effect: 'Deny' as const }, ...list];
      expect(effects(more, person, action, resource)).toBe('deny');
    }),
    { numRuns: runs(100, 2_000) },
  );
});

test('the order of statements never changes the effect', () => {
  const shuffled = statements.chain((list) =>
    fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
  );
  fc.assert(
    fc.property(shuffled, who, request, ([list, other], person, { action, resource }) => {
      expect(effects(other, person, action, resource)).toBe(effects(list, person, action, resource));
    }),
    { numRuns: runs(200, 5_000) },
  );
});

const level = fc.constantFrom('a', 'b', 'ab', '+', '', '$a', 'é');
const filter = fc
  .tuple(fc.array(level, { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'))
  .filter((text) => text !== '');
const subscribeToAll: RawStatement = { Sid: 'Sub', Effect: 'Allow', Action: ['iot:Subscribe'], Resource: ['*'] };
/** About receiving mostly, so that the filters meet them. */
const receiving = fc
  .array(
    fc.record({
      Effect: fc.constantFrom('Allow', 'Allow', 'Allow', 'Deny'),
      Resource: fc.array(
        fc.oneof(
          arn,
          tail.map((text) => `${ARN}topic/${text}*`),
        ),
        { minLength: 1, maxLength: 3 },
      ),
      except: fc.integer({ min: 0, max: 9 }).map((roll) => roll === 0),
      Condition: fc.oneof({ weight: 4, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: conditions }),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((list) =>
    list.map(({ Effect, Resource, except, Condition }, index): RawStatement => ({
      Sid: `S${index}`,
      Effect: Effect,
      Action: ['iot:Receive'],
      [except ? 'NotResource' : 'Resource']: Resource,
      Condition,
    })),
  );

test('a subscription is never granted where its filter matches a topic that evaluation denies', () => {
  fc.assert(
    fc.property(
      receiving,
      who,
      filter,
      fc.array(topicName, { minLength: 1, maxLength: 20 }),
      (list, person, text, topics) => {
        const authorizer = engine([...list, subscribeToAll], person);
        if (authorizer.subscribe(identity(person), text).effect === 'deny') return;
        for (const topic of topics.filter((candidate) => filterMatches(text, candidate))) {
          const expected = referenceDecision(list, 'iot:Receive', `${ARN}topic/${topic}`, factsOf(person));
          expect({ topic, effect: expected.effect }).toEqual({ topic, effect: 'allow' });
        }
      },
    ),
    { numRuns: runs(200, 5_000) },
  );
});

test('a subscription is refused only with a topic that its filter matches and that evaluation denies', () => {
  fc.assert(
    fc.property(receiving, who, filter, (list, person, text) => {
      const decision = engine([...list, subscribeToAll], person).subscribe(identity(person), text);
      if (decision.effect === 'allow' || decision.action !== 'iot:Receive') return;
      const topic = decision.resource.slice(`${ARN}topic/`.length);
      expect(filterMatches(text, topic)).toBe(true);
      expect(referenceDecision(list, 'iot:Receive', decision.resource, factsOf(person)).effect).toBe('deny');
    }),
    { numRuns: runs(200, 5_000) },
  );
});
