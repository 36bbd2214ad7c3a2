import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { Identity } from '../../src/identity/identity.js';
import { actionRecord, wouldDenyRecord } from '../../src/observing/record.js';
import type { Decision } from '../../src/policy/authorizer.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import { recordedDecision } from '../../src/policy/questions/recorded.js';
import { Suggestions, type SuggestedPolicy } from '../../src/policy/questions/suggest.js';
import type { Reason } from '../../src/reasons.js';
import { ARN, policy, setOf } from './support/set.js';

type Request =
  | { readonly kind: 'connect'; readonly who: Identity }
  | { readonly kind: 'publish'; readonly who: Identity; readonly topic: string; readonly retain: boolean }
  | { readonly kind: 'subscribe'; readonly who: Identity; readonly topic: string };

const REASON = {
  connect: 'CONNECT_NOT_AUTHORIZED',
  publish: 'PUBLISH_NOT_AUTHORIZED',
  subscribe: 'SUBSCRIBE_NOT_AUTHORIZED',
} as const satisfies Record<Request['kind'], Reason>;

const NONE = policy({ Effect: 'Allow', Action: 'iot:ListRetainedMessages', Resource: '*' });
const PRINCIPALS = (policies: Readonly<Record<string, string>>) => ({
  principals: {
    lock: {
      match: { username: 'lock-*' },
      policies: [policies['lock'] ?? 'none'],
      thing: { name: '${username}' },
    },
    other: { match: { username: '*' }, policies: [policies['other'] ?? 'none'] },
  },
});

const setWith = (policies: ReadonlyMap<string, SuggestedPolicy>): PolicySet =>
  setOf(
    { none: NONE, ...Object.fromEntries([...policies].map(([name, document]) => [`${name}-policy`, document])) },
    PRINCIPALS(Object.fromEntries([...policies.keys()].map((name) => [name, `${name}-policy`]))),
  );

function decide(set: PolicySet, request: Request): Decision {
  const authorizer = new PolicyAuthorizer(() => set);
  switch (request.kind) {
    case 'connect':
      return authorizer.connect(request.who, {});
    case 'publish':
      return authorizer.publish(request.who, request.topic, { retain: request.retain });
    case 'subscribe':
      return authorizer.subscribe(request.who, request.topic);
  }
}

/** The line that the service writes of the request in shadow, under policies that allow nothing. */
function lineOf(request: Request): string {
  const decision = decide(setWith(new Map()), request);
  const { kind, who: identity } = request;
  const topicName = request.kind === 'connect' ? undefined : request.topic;
  const retain = request.kind === 'publish' && request.retain;
  const event = { identity, topicName, retain, reason: REASON[kind], decision, connect: {} };
  return JSON.stringify({ eventType: 'WouldDeny', ...wouldDenyRecord(event, 'trace') });
}

function suggest(requests: readonly Request[]): ReadonlyMap<string, SuggestedPolicy> {
  const set = setWith(new Map());
  const suggestions = new Suggestions(ARN, (name) => set.principal(name)?.principal.thing);
  for (const request of requests) {
    const recorded = recordedDecision(lineOf(request), ARN);
    if (recorded !== undefined) suggestions.add(recorded);
  }
  return suggestions.policies();
}

const client = fc.record({
  protocol: fc.constant('MQTT' as const),
  clientId: fc.constantFrom('lock-1', 'lock-2', 'a', 'x/y', '*', '${iot:ClientId}'),
  username: fc.constantFrom('lock-1', 'lock-2', 'plant', 'a', '$'),
});
const level = fc.constantFrom('a', 'b', 'lock-1', 'lock-2', 'plant', '*', '?', '$', '${aws:username}', '');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 3 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ['#'] : [])].join('/'));
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ kind: fc.constant('connect' as const), who: client }),
  fc.record({
    kind: fc.constant('publish' as const),
    who: client,
    topic: topic.filter((name) => name !== ''),
    retain: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('subscribe' as const), who: client, topic: filter.filter((name) => name !== '') }),
);

describe('suggested policies', () => {
  test('allow everything recorded', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), (requests) => {
        const set = setWith(suggest(requests));
        for (const one of requests) expect([one, decide(set, one)]).toMatchObject([one, { effect: 'allow' }]);
      }),
      { numRuns: 400 },
    );
  });

  test('have no resource that lies within another, and none twice', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 12 }), (requests) => {
        for (const document of suggest(requests).values()) {
          for (const { Action, Resource } of document.Statement) {
            for (const resource of Resource) {
              const others = Resource.filter((other) => other !== resource);
              if (others.length === 0 || resource.includes('${')) continue;
              const rest = setOf({ p: policy({ Effect: 'Allow', Action, Resource: others }) });
              const probe = resource.slice(ARN.length).replaceAll('*', 'zz');
              const who: Identity = { protocol: 'MQTT', clientId: 'nobody-else', username: 'nobody-else' };
              const { effect } = new PolicyAuthorizer(() => rest).decide(who, Action, probe);
              expect([resource, others, effect]).toEqual([resource, others, 'deny']);
            }
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  test('allow another client nothing that none was recorded to do, but the same with its own names', () => {
    fc.assert(
      fc.property(fc.array(request, { minLength: 1, maxLength: 8 }), topic, (requests, probe) => {
        const untouched = `zzz/${probe}`;
        const wide = requests.some(
          ({ kind, ...rest }) => kind === 'subscribe' && /^[+#]/.test((rest as { topic: string }).topic),
        );
        if (wide) return;
        const set = setWith(suggest(requests));
        const who: Identity = { protocol: 'MQTT', clientId: 'stranger', username: 'lock-3' };
        const publish: Request = { kind: 'publish', who, topic: untouched, retain: false };
        expect(decide(set, publish).effect).toBe('deny');
        // The client ID is bound to what was verified, or was recorded as it is.
        expect(decide(set, { kind: 'connect', who }).effect).toBe('deny');
      }),
      { numRuns: 200 },
    );
  });

  const lock = (name: string): Identity => ({ protocol: 'MQTT', clientId: name, username: name });
  test('speak of all devices of a kind by variables', () => {
    const document = suggest([
      { kind: 'connect', who: lock('lock-1') },
      { kind: 'connect', who: lock('lock-2') },
      { kind: 'publish', who: lock('lock-1'), topic: 'state/lock-1/door', retain: true },
      { kind: 'publish', who: lock('lock-2'), topic: 'state/lock-2/door', retain: false },
      { kind: 'subscribe', who: lock('lock-1'), topic: 'cmd/lock-1/#' },
      { kind: 'subscribe', who: lock('lock-1'), topic: 'all/+/x*' },
    ]).get('lock');
    expect(
      document?.Statement.map(({ Action, Resource }) => [Action, Resource.map((arn) => arn.slice(ARN.length))]),
    ).toEqual([
      ['iot:Connect', ['client/${iot:Connection.Thing.ThingName}']],
      ['iot:Publish', ['topic/state/${iot:ClientId}/door']],
      ['iot:Receive', ['topic/all/*/x${*}', 'topic/cmd/${iot:ClientId}', 'topic/cmd/${iot:ClientId}/*']],
      ['iot:RetainPublish', ['topic/state/${iot:ClientId}/door']],
      ['iot:Subscribe', ['topicfilter/all/+/x${*}', 'topicfilter/cmd/${iot:ClientId}/#']],
    ]);
  });

  test('never let a client ID stand for itself, which would let in whoever claims it', () => {
    const who: Identity = { protocol: 'MQTT', clientId: 'machine-7', username: 'plant' };
    const document = suggest([{ kind: 'connect', who }]).get('other');
    expect(document?.Statement).toMatchObject([{ Action: 'iot:Connect', Resource: [`${ARN}client/machine-7`] }]);
  });

  test('take direct messages from the outcome: sender, topics, and what the receiver receives', () => {
    const suggestions = new Suggestions(ARN, () => undefined);
    const lines = [
      { eventType: 'Connect', status: 'Success', protocol: 'MQTT', clientId: 'd1', principalId: 'device', policy: 'p' },
      ...['d1', 'd2'].map((targetClientId) => ({
        eventType: 'SendDirectMessage',
        status: 'Success',
        protocol: 'HTTP',
        principalId: 'backend',
        policy: 'p',
        targetClientId,
        topicName: 'cmd/open',
      })),
    ];
    for (const line of lines) {
      const recorded = recordedDecision(JSON.stringify(line), ARN);
      if (recorded !== undefined) suggestions.add(recorded);
    }
    const policies = suggestions.policies();
    expect(policies.get('backend')?.Statement).toEqual([
      {
        Sid: 'SendDirectMessage1',
        Effect: 'Allow',
        Action: 'iot:SendDirectMessage',
        Resource: [`${ARN}client/d1`, `${ARN}client/d2`],
        Condition: { StringEquals: { 'iot:Topic': ['cmd/open'] } },
      },
    ]);
    expect(policies.get('device')?.Statement).toContainEqual(
      expect.objectContaining({ Action: 'iot:Receive', Resource: [`${ARN}topic/cmd/open`] }),
    );
  });

  test('are not made of what was refused, of who has no name, and of lines of others', () => {
    const who: Identity = { protocol: 'MQTT', clientId: 'c', username: 'u' };
    const decision: Decision = {
      effect: 'deny',
      cause: 'noPrincipal',
      action: 'iot:Publish',
      resource: `${ARN}topic/t`,
      errors: [],
    };
    const refused = {
      eventType: 'Publish-In',
      ...actionRecord({ identity: who, decision, reason: REASON.publish }, 't'),
    };
    const suggestions = new Suggestions(ARN, () => undefined);
    for (const text of [JSON.stringify(refused), 'not JSON', '[]', '{"eventType":"Connect"}']) {
      const recorded = recordedDecision(text, ARN);
      if (recorded !== undefined) suggestions.add(recorded);
    }
    expect([...suggestions.policies()]).toEqual([]);
  });
});
