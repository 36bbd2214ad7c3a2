import { diffPolicies, type PolicyDiff } from '../../src/policy/questions/diff.js';
import { resourceOf } from '../../src/policy/questions/requests.js';
import { finish } from '../../src/policy/work.js';
import { ARN, policy, setOf } from './support/set.js';

interface Raw {
  readonly statements: readonly object[];
  readonly match?: object;
  readonly thing?: object;
}

function diff(before: Raw, after: Raw): PolicyDiff {
  const [old, recent] = [before, after].map(({ statements, match, thing }) => {
    const lock = { match: match ?? { username: 'lock-*' }, policies: ['device'], ...(thing && { thing }) };
    return setOf({ device: policy(...statements) }, { principals: { lock } });
  });
  return finish(diffPolicies(old as never, recent as never, { now: 0 }));
}

/** `+ action resource` for what is newly allowed, `-` for what is newly denied. */
function told({ changes }: PolicyDiff): readonly string[] {
  return changes.map(
    ({ effect, action, request }) => `${effect === 'allow' ? '+' : '-'} ${action} ${resourceOf(request)}`,
  );
}

const allow = (action: string, resource: string, more: object = {}): object => ({
  Effect: 'Allow',
  Action: action,
  Resource: `${ARN}${resource}`,
  ...more,
});
const deny = (action: string, resource: string, more: object = {}): object => ({
  ...allow(action, resource, more),
  Effect: 'Deny',
});

const NOTHING = { changes: [], unclear: [], complete: true };

test('another order, other names and several statements for one change nothing', () => {
  const before = [allow('iot:Publish', 'topic/a/*'), allow('iot:Publish', 'topic/b')];
  const after = [{ ...allow('iot:Publish', 'topic/b'), Sid: 'B' }, allow('iot:Publish', 'topic/a/*')];
  expect(diff({ statements: before }, { statements: after })).toEqual({ ...NOTHING, compared: 0 });
  const one = [{ ...allow('iot:Publish', 'topic/a/*'), Resource: [`${ARN}topic/b`, `${ARN}topic/a/*`] }];
  expect(diff({ statements: before }, { statements: one })).toEqual({ ...NOTHING, compared: 1 });
});

test('a statement that others take in already changes nothing', () => {
  const before = [allow('iot:Publish', 'topic/state/${iot:ClientId}/*')];
  const after = [...before, allow('iot:Publish', 'topic/state/${iot:ClientId}/door/*')];
  expect(diff({ statements: before }, { statements: after })).toEqual({ ...NOTHING, compared: 1 });
  const wider = [...before, allow('iot:Publish', 'topic/state/${iot:ClientId}*')];
  expect(told(diff({ statements: before }, { statements: wider }))).toEqual(['+ iot:Publish topic/state/z']);
});

test('of a principal with a pattern the one name is found about which the answer changes', () => {
  const before = [allow('iot:Publish', 'topic/state/${aws:username}')];
  const after = [...before, deny('iot:Publish', 'topic/state/lock-13')];
  const found = diff({ statements: before }, { statements: after });
  expect(told(found)).toEqual(['- iot:Publish topic/state/lock-13']);
  expect(found.changes[0]?.request.identity).toMatchObject({ username: 'lock-13' });
});

test('Connect takes the client ID as the name', () => {
  const bound = [allow('iot:Connect', 'client/${iot:Connection.Thing.ThingName}')];
  const any = [allow('iot:Connect', 'client/${iot:ClientId}')];
  const thing = { name: '${username}' };
  const found = diff({ statements: bound, thing }, { statements: any, thing });
  expect(told(found)).toEqual([expect.stringMatching(/^\+ iot:Connect client\//)]);
  const [{ request }] = found.changes as [PolicyDiff['changes'][0]];
  expect(request.identity.clientId).toBe(request.name);
  expect(request.identity.clientId).not.toBe(request.identity.username);
  const same = [allow('iot:Connect', '*', { Resource: `${ARN}client/*` })];
  expect(diff({ statements: any, thing }, { statements: same, thing }).changes).toEqual([]);
});

test('a client ID that happens to be the name of the thing stands for no other', () => {
  const who = { match: { username: 'ab', clientId: 'a*' }, thing: { name: 'a' } };
  const unlessThing = {
    ...allow('iot:Connect', 'client/*'),
    Condition: { StringEqualsIfExists: { 'iot:Connection.Thing.ThingName': 'b' } },
  };
  const found = diff({ statements: [allow('iot:Publish', 'topic/a')], ...who }, { statements: [unlessThing], ...who });
  expect(told(found)).toContain('+ iot:Connect client/ax');
});

test('the topic of a direct message is found beside its receiver', () => {
  const send = (topic: string): object =>
    allow('iot:SendDirectMessage', 'client/lock-*', { Condition: { StringLike: { 'iot:Topic': topic } } });
  const found = diff({ statements: [send('cmd/*')] }, { statements: [send('cmd/open')] });
  expect(found.changes.map(({ request, effect }) => [effect, request.context.get('iot:topic')])).toEqual([
    ['deny', 'cmd/'],
  ]);
});

test('a match that takes in more is told for whoever is new', () => {
  const statements = [allow('iot:Publish', 'topic/a')];
  const found = diff({ statements, match: { username: 'lock-*' } }, { statements, match: { username: 'l*' } });
  expect(told(found)).toEqual(['+ iot:Publish topic/a']);
  expect(found.changes[0]?.before).toMatchObject({ cause: 'noPrincipal' });
});

test('a condition about a fact is proved by a fact', () => {
  const within = (range: string): object =>
    allow('iot:Publish', 'topic/a', { Condition: { IpAddress: { 'aws:SourceIp': range } } });
  const found = diff({ statements: [within('10.0.0.0/8')] }, { statements: [within('192.168.0.0/16')] });
  expect(found.changes.map(({ effect, request }) => [effect, request.identity.sourceIp])).toEqual([
    ['allow', '192.168.0.0'],
    ['deny', '10.0.0.0'],
  ]);
});

test('what cannot be looked into is said, and never called unchanged', () => {
  const conditional = (value: string): object =>
    allow('iot:Publish', 'topic/a', { Condition: { StringLike: { 'iot:ClientId': value } } });
  const found = diff(
    { statements: [conditional('${aws:username}-a*')] },
    { statements: [conditional('${aws:username}-*')] },
  );
  expect(found.changes.length + found.unclear.length).toBeGreaterThan(0);
});

test('two sets that are too hostile to compare end, and say so', () => {
  const pattern = (index: number): string =>
    Array.from(
      { length: 9 },
      (_, place) => `*${'ab'[(index >> place) & 1] ?? ''}${'ba'[(index * place) & 1] ?? ''}`,
    ).join('');
  const many = (from: number): object[] =>
    Array.from({ length: 40 }, (_, index) => allow('iot:Publish', `topic/${pattern(from + index)}`));
  const found = diff(
    { statements: many(1) },
    { statements: [...many(1), deny('iot:Publish', 'topic/*a?b?a?b?a?b?c')] },
  );
  expect(found.changes.length + found.unclear.length).toBeGreaterThan(0);
});
