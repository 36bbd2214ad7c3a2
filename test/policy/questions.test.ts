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
import { whatCan, type Permission, type WhatCan } from '../../src/policy/questions/what-can.js';
import { whoCan, type Grant, type WhoCanQuestion } from '../../src/policy/questions/who-can.js';
import { finish } from '../../src/policy/work.js';
import { runs } from '../long.js';
import {
  attached,
  IDS,
  NAMES,
  otherCondition,
  pair,
  setsOf,
  textCondition,
  TOPICS,
  USERNAMES,
  type Raw,
} from './support/pairs.js';
import { ARN, policy, setOf } from './support/set.js';

const FACTS = [
  ...[{}, { sourceIp: '10.1.2.3' }, { sourceIp: '10.2.2.3', secureTransport: true }, { sourceIp: '192.0.2.1' }],
  ...[{ certificate: { commonName: '', distinguishedName: 'C=SE' } }, { secureTransport: false }],
];

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
  const diff = finish(diffPolicies(...sets, { now: 0, budget: 10_000 }));
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
  fc.assert(
    fc.property(
      pair(fc.oneof(fc.constant({}), textCondition, otherCondition, otherCondition)),
      fc.constantFrom(...FACTS),
      (raw, given) => {
        holdsAgainstForce(setsOf(raw), given);
      },
    ),
    { numRuns: runs(40, 1_000) },
  );
});

/** A principal, and who it is, of whom the engine says yes. */
type Allowed = readonly [principal: string, identity: Identity];

function allowedByForce(set: PolicySet, { action, name, topic }: WhoCanQuestion, facts: object): Allowed[] {
  const engine = new PolicyAuthorizer(() => set, { clock: () => 0 });
  const extra = topic === undefined ? undefined : { topic };
  return USERNAMES.flatMap((username) =>
    IDS.flatMap((clientId): Allowed[] => {
      // A CONNECT is about its own client ID alone.
      if (action === 'iot:Connect' && clientId !== name) return [];
      const identity: Identity = { protocol: 'MQTT', username, clientId, ...facts };
      const { effect, principalId = '' } = engine.decide(identity, action, resourceOf({ action, name }), extra);
      return effect === 'allow' ? [[principalId, identity]] : [];
    }),
  );
}

function isOne({ who }: Grant, identity: Identity): boolean {
  return Object.entries(who).every(([fact, pattern]) => {
    const source = pattern.replaceAll(/[\\^$.|?*+(){}[\]]/g, (char) => ({ '*': '.*', '?': '.' })[char] ?? `\\${char}`);
    return new RegExp(`^${source}$`, 's').test((identity as unknown as Record<string, string>)[fact] ?? '');
  });
}

/** Everybody whom the engine lets is among the grants, or the principal is one about whom nothing is promised. */
function whoCanHoldsAgainstForce(set: PolicySet, question: WhoCanQuestion, facts: object): void {
  const { grants, unclear } = finish(whoCan(set, question, { now: 0, budget: 10_000 }));
  for (const { request, principal } of grants) {
    const { identity, context, action } = request;
    const asked = { identity, principal: set.resolve(identity), action, resource: resourceOf(request) };
    const { decision } = explain(set, { ...asked, facts: { overrides: context } }, RULES, () => 0);
    expect(decision).toMatchObject({ effect: 'allow', principalId: principal });
  }
  const open = new Set(unclear.map(({ principal }) => principal));
  const missed = allowedByForce(set, question, facts).filter(
    ([principal, identity]) =>
      !open.has(principal) && !grants.some((grant) => grant.principal === principal && isOne(grant, identity)),
  );
  expect(missed).toEqual([]);
}

const anyQuestion = fc.oneof(
  fc.constantFrom(...IDS).map((name): WhoCanQuestion => ({ action: 'iot:Connect', name })),
  fc.constantFrom(...NAMES).map((name): WhoCanQuestion => ({ action: 'iot:Publish', name })),
  fc.constantFrom(...NAMES).map((name): WhoCanQuestion => ({ action: 'iot:SendDirectMessage', name, topic: 'a' })),
  fc.constantFrom(...NAMES.filter(isTopicFilter)).map((name): WhoCanQuestion => ({ action: 'iot:Subscribe', name })),
);
const questions = fc.array(anyQuestion, { minLength: 1, maxLength: 6 });

test('who-can names everybody who may, and each of them may', () => {
  fc.assert(
    fc.property(pair(fc.oneof(fc.constant({}), textCondition, attached)), questions, (raw, asked) => {
      for (const question of asked) whoCanHoldsAgainstForce(setsOf(raw)[1], question, {});
    }),
    { numRuns: runs(40, 2_000) },
  );
});

test('with conditions about anything who-can never says nobody wrongly', () => {
  const conditions = fc.oneof(fc.constant({}), textCondition, otherCondition, otherCondition);
  fc.assert(
    fc.property(pair(conditions), questions, fc.constantFrom(...FACTS), (raw, asked, facts) => {
      for (const question of asked) whoCanHoldsAgainstForce(setsOf(raw)[1], question, facts);
    }),
    { numRuns: runs(40, 2_000) },
  );
});

/** The permissions as a policy that has no others. */
function policyOf({ allowed, denied }: WhatCan): object {
  const statement = (Effect: string, { action, resource, exceptResource, conditions }: Permission): object => ({
    Effect,
    Action: action,
    [exceptResource ? 'NotResource' : 'Resource']: resource
      .split(', ')
      .map((text) => (text.startsWith('*') || text.startsWith('arn:') ? text : `${ARN}${text}`)),
    Condition: Object.fromEntries(
      conditions.map((text) => {
        const [, operator = '', key = '', values = ''] = /^(\S+) (\S+): (.*)$/.exec(text) ?? [];
        return [operator, { [key]: values.split(' or ') }];
      }),
    ),
  });
  return policy(
    { Effect: 'Allow', Action: 'iot:ListRetainedMessages', Resource: '*' },
    ...allowed.map((permission) => statement('Allow', permission)),
    ...denied.map((permission) => statement('Deny', permission)),
  );
}

const NOTHING: WhatCan = { allowed: [], denied: [] };

function whatCanHoldsAgainstForce(raw: Raw, facts: object): void {
  const set = setOf(raw.policies, raw.principals);
  const policies = Object.fromEntries(
    set.principals.all.map((principal) => {
      const found = set.compiledFor(principal);
      return [principal.name, policyOf(found === undefined ? NOTHING : finish(whatCan(set, found)))];
    }),
  );
  const { principals } = raw.principals as { principals: Record<string, object> };
  const own = Object.entries(principals).map(([name, one]) => [name, { ...one, policies: [name] }] as const);
  const said = setOf(policies, { principals: Object.fromEntries(own) });
  expect([...changesByForce([set, said], facts)]).toEqual([]);
}

test('what a principal can do by what-can is what it can do', () => {
  const conditions = fc.oneof(fc.constant({}), textCondition, otherCondition);
  fc.assert(
    fc.property(pair(conditions), fc.constantFrom(...FACTS), (raw, facts) => {
      setsOf(raw);
      whatCanHoldsAgainstForce(raw[1], facts);
    }),
    { numRuns: runs(20, 1_000) },
  );
});
