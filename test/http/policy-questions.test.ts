import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { PolicyQuestions } from '../../src/operations/policy-questions.js';
import { RecordedEvents } from '../fakes.js';
import { ARN, policy, setOf } from '../policy/support/set.js';
import { call, CREDENTIALS, exchange, expectError, startServer, type Received, type TestServer } from './support.js';

const EXPLAINS = 'tightbeam:ExplainPolicy';
const PRINCIPALS = {
  principals: {
    caller: { match: { accessKeyId: CREDENTIALS.accessKeyId }, policies: ['caller'] },
    backend: { match: { username: 'backend' }, policies: ['backend'] },
    lock: { match: { username: 'lock-*' }, policies: ['lock'] },
  },
};
const POLICIES = {
  backend: policy(
    { Sid: 'Send', Effect: 'Allow', Action: 'iot:SendDirectMessage', Resource: `${ARN}client/lock-*` },
    { Sid: 'Secret', Effect: 'Allow', Action: 'iot:SendDirectMessage', Resource: `${ARN}client/vault` },
  ),
  lock: policy({ Effect: 'Allow', Action: 'iot:Connect', Resource: `${ARN}client/\${aws:username}` }),
};
const SEND = { action: 'iot:SendDirectMessage', resource: 'client/lock-17' };

let server: TestServer | undefined;
beforeEach(() => {
  server = undefined;
});
afterEach(() => server?.dataPlane.stop());

/** A caller who may know of those resources. */
async function startFor(
  ...resources: string[]
): Promise<(question: string, body: object | string) => Promise<Received>> {
  const own = policy({ Effect: 'Allow', Action: EXPLAINS, Resource: resources });
  const set = setOf({ ...POLICIES, caller: own }, PRINCIPALS);
  const started = await startServer({ policies: () => set, authorizer: new PolicyAuthorizer(() => set) });
  server = started;
  return (question, body) =>
    call(started.port, {
      path: `/tightbeam/v1/policy/${question}`,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
}

test('who may know of a device is told who can send to it', async () => {
  const ask = await startFor(`${ARN}client/lock-17`);
  const { status, body } = await ask('who-can', SEND);
  expect({ status, body }).toMatchObject({
    status: 200,
    body: {
      grants: [{ principal: 'backend', who: { username: 'backend' }, policy: 'backend', statement: 'Send' }],
      unclear: [],
    },
  });
  expect(server?.events.told).toMatchObject([
    { eventType: 'ExplainPolicy', details: 'who-can iot:SendDirectMessage on client/lock-17' },
  ]);
  expect(server?.events.told[0]?.decision).toMatchObject({ action: EXPLAINS, effect: 'allow', policy: 'caller' });
});

test.each(['explain', 'who-can'])('%s of one device is not for who may know of another', async (question) => {
  const ask = await startFor(`${ARN}client/lock-18`);
  const received = await ask(question, { ...SEND, ...(question === 'explain' && { principal: 'backend' }) });
  expectError(received, 'OPERATION_NOT_AUTHORIZED');
  expect(server?.events.told).toMatchObject([
    { eventType: 'ExplainPolicy', reason: 'OPERATION_NOT_AUTHORIZED', decision: { cause: 'implicitDeny' } },
  ]);
});

test('a decision is explained by the statements about the resource, the others are for who may know of all', async () => {
  const asked = { ...SEND, principal: 'backend' };
  const statementsFor = async (resource: string): Promise<unknown[]> => {
    const ask = await startFor(resource);
    const { body } = await ask('explain', asked);
    await server?.dataPlane.stop();
    expect(body['decision']).toMatchObject({ effect: 'allow', statement: 'Send', principalId: 'backend' });
    return (body['statements'] as { statement: string }[]).map(({ statement }) => statement);
  };
  expect(await statementsFor(`${ARN}client/lock-17`)).toEqual(['Send']);
  expect(await statementsFor('*')).toEqual(['Send', 'Secret']);
});

test('what a principal can do is for who may know of all', async () => {
  const some = await startFor(`${ARN}client/*`, `${ARN}topic/*`, `${ARN}topicfilter/*`);
  expectError(await some('what-can', { principal: 'backend' }), 'OPERATION_NOT_AUTHORIZED');
  await server?.dataPlane.stop();
  const all = await startFor('*');
  const { body } = await all('what-can', { username: 'backend' });
  expect(body).toMatchObject({
    principal: 'backend',
    allowed: [
      { action: 'iot:SendDirectMessage', resource: 'client/lock-*', statement: 'Send' },
      { action: 'iot:SendDirectMessage', resource: 'client/vault', statement: 'Secret' },
    ],
    denied: [],
  });
});

test.each([
  ['explain', 'open', 'The body is no JSON in UTF-8.'],
  ['who-can', { action: 'iot:SendDirectMesage', resource: 'client/a' }, 'is iot:SendDirectMessage meant?'],
  ['who-can', { action: 'iot:Publish', resource: 'client/a' }, 'which is about topic/ resources'],
  ['who-can', { ...SEND, topics: 'a' }, 'topics'],
  ['explain', SEND, 'No principal, username, clientId or other fact says who asks.'],
  ['what-can', { principal: 'nobody' }, 'No principal is called so'],
  ['what-can', { principal: 17 }, 'body.principal: '],
])('%s refuses what it cannot read, and says why (%#)', async (question, body, details) => {
  const ask = await startFor('*');
  const received = await ask(question, body);
  expectError(received, 'INVALID_PARAMETER');
  expect(received.body['details']).toContain(details);
  expect(server?.events.told).toMatchObject([{ eventType: 'ExplainPolicy', reason: 'INVALID_PARAMETER' }]);
});

test('who has proved nothing is told nothing', async () => {
  await startFor('*');
  const path = '/tightbeam/v1/policy/who-can';
  expectError(await exchange(server?.port ?? 0, { path, body: JSON.stringify(SEND) }), 'MISSING_CREDENTIALS');
  expect(server?.events.told).toMatchObject([{ eventType: 'ExplainPolicy', reason: 'MISSING_CREDENTIALS' }]);
});

test('a question too many is refused, and one whose caller has gone is not worked on', async () => {
  const set = setOf({ ...POLICIES, caller: policy({ Effect: 'Allow', Action: EXPLAINS, Resource: '*' }) }, PRINCIPALS);
  const questions = new PolicyQuestions({
    authorizer: new PolicyAuthorizer(() => set),
    current: () => set,
    rules: { receiveOnSubscribe: 'every', hashMatchesParent: true },
    events: new RecordedEvents(),
    clock: () => 0,
  });
  const asking = { caller: { protocol: 'HTTP', accessKeyId: CREDENTIALS.accessKeyId }, traceId: '' } as const;
  const gone = new AbortController();
  const answers = Array.from({ length: 17 }, (_, index) => {
    const { signal } = index === 1 ? gone : new AbortController();
    return questions.whoCan(asking, SEND, undefined, signal);
  });
  gone.abort(new Error('gone'));
  expect((await Promise.all(answers)).map((answer) => (answer.ok ? 'ok' : answer.reason))).toEqual([
    'ok',
    'INTERNAL_ERROR',
    ...Array.from({ length: 14 }, () => 'ok'),
    'ACCOUNT_THROTTLED',
  ]);
  expect((await questions.whoCan(asking, SEND, undefined, new AbortController().signal)).ok).toBe(true);
});
