/** Facts that AWS IoT Core has and brokers do not hand over: nothing is taken for granted about them. */
import { ARN, authorizerOf, policy } from './support/set.js';

const CLIENT = { protocol: 'MQTT', username: 'u', clientId: 'c' } as const;
const WITH_CERTIFICATE = { ...CLIENT, certificate: { commonName: 'u', distinguishedName: 'CN=u' } };
const CONNECT = { Effect: 'Allow', Action: 'iot:Connect', Resource: `${ARN}client/c` };
const ABOUT_WILL = { StringEquals: { 'iot:ConnectAttributes': 'LastWill' } };
const ABOUT_ISSUER = { StringNotEquals: { 'iot:Certificate.Issuer.CommonName': 'Acme' } };

function decide(statements: object[], identity: object = CLIENT, facts?: { connectAttributes?: string[] }) {
  return authorizerOf({ p: policy(...statements) }).connect({ ...CLIENT, ...identity }, facts);
}

test.each<[what: string, condition: object]>([
  ['an operator', ABOUT_WILL],
  ['a negated operator', { StringNotEquals: { 'iot:ConnectAttributes': 'LastWill' } }],
  ['a set operator', { 'ForAllValues:StringEquals': { 'iot:ConnectAttributes': 'LastWill' } }],
  ['IfExists', { StringEqualsIfExists: { 'iot:DomainName': 'a.example' } }],
  ['Null', { Null: { 'iot:DomainName': 'true' } }],
  ['the topic of the will', { StringLike: { 'iot:LastWillTopic': 'alarm/*' } }],
])('%s on what a CONNECT does not tell lets nobody in and keeps everybody out', (_, Condition) => {
  expect(decide([{ ...CONNECT, Condition }])).toMatchObject({ cause: 'implicitDeny' });
  const denied = decide([CONNECT, { ...CONNECT, Effect: 'Deny', Condition }]);
  expect(denied).toMatchObject({ effect: 'deny', cause: 'error', statement: '1' });
  expect(denied.errors[0]).toMatch(/ on iot:(ConnectAttributes|DomainName|LastWillTopic) cannot be evaluated$/);
});

test('a Deny about a CONNECT says nothing about other actions', () => {
  const publish = { Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/a` };
  const authorizer = authorizerOf({
    p: policy(publish, { Effect: 'Deny', Action: '*', Resource: '*', Condition: ABOUT_WILL }),
  });
  expect(authorizer.publish(CLIENT, 'a').effect).toBe('allow');
});

test('what a transport tells of a CONNECT is decided by, absence too', () => {
  const deny = { ...CONNECT, Effect: 'Deny', Condition: ABOUT_WILL };
  expect(decide([CONNECT, deny], CLIENT, { connectAttributes: [] }).effect).toBe('allow');
  expect(decide([CONNECT, deny], CLIENT, { connectAttributes: ['LastWill'] }).cause).toBe('explicitDeny');
});

test('the issuer of a certificate is not known, and absent where there is no certificate', () => {
  const deny = { ...CONNECT, Effect: 'Deny', Condition: ABOUT_ISSUER };
  expect(decide([CONNECT, deny], WITH_CERTIFICATE).cause).toBe('error');
  expect(decide([{ ...CONNECT, Condition: ABOUT_ISSUER }], WITH_CERTIFICATE).effect).toBe('deny');
  expect(decide([{ ...CONNECT, Condition: ABOUT_ISSUER }]).effect).toBe('allow');
});

test('a subject without common name has none', () => {
  const identity = { certificate: { commonName: '', distinguishedName: 'O=Acme' } };
  const Condition = {
    Null: { 'iot:Certificate.Subject.CommonName': 'true' },
    StringEquals: { 'iot:Certificate.Subject.Organization': 'Acme' },
  };
  expect(decide([{ ...CONNECT, Condition }], identity).effect).toBe('allow');
});

test('a question about a CONNECT is answered as the CONNECT would be, where nobody tells of it', () => {
  const authorizer = authorizerOf({
    p: policy(CONNECT, { ...CONNECT, Effect: 'Deny', Condition: ABOUT_WILL }),
  });
  expect(authorizer.decide(CLIENT, 'iot:Connect', 'client/c').cause).toBe('error');
  expect(authorizer.decide(CLIENT, 'iot:Connect', 'client/c', { connectAttributes: [] }).effect).toBe('allow');
});

describe('of a subscription to many topics', () => {
  const SUBSCRIBE = { Effect: 'Allow', Action: 'iot:Subscribe', Resource: `${ARN}topicfilter/a/#` };
  const RECEIVE = { Effect: 'Allow', Action: 'iot:Receive', Resource: [`${ARN}topic/a`, `${ARN}topic/a/*`] };
  const subscribe = (receiveOnSubscribe: 'some' | 'every', ...statements: object[]) =>
    authorizerOf({ p: policy(SUBSCRIBE, ...statements) }, { receiveOnSubscribe }).subscribe(WITH_CERTIFICATE, 'a/#');

  test('an Allow on what is not known allows none, and a Deny keeps everybody out', () => {
    expect(subscribe('some', RECEIVE).effect).toBe('allow');
    expect(subscribe('some', { ...RECEIVE, Condition: ABOUT_ISSUER }).effect).toBe('deny');
    const deny = { ...RECEIVE, Effect: 'Deny', Resource: `${ARN}topic/a/b`, Condition: ABOUT_ISSUER };
    expect(subscribe('every', RECEIVE).effect).toBe('allow');
    expect(subscribe('every', RECEIVE, deny).effect).toBe('deny');
    expect(subscribe('some', RECEIVE, deny).effect).toBe('allow');
  });

  test('a variable without a value narrows an Allow, and widens a Deny', () => {
    const ofThing = `${ARN}topic/a/\${iot:Connection.Thing.ThingName}`;
    expect(subscribe('some', { ...RECEIVE, Resource: ofThing }).effect).toBe('deny');
    const below = { ...RECEIVE, Resource: `${ARN}topic/a/b` };
    expect(subscribe('some', below).effect).toBe('allow');
    expect(subscribe('some', below, { ...RECEIVE, Effect: 'Deny', Resource: ofThing }).effect).toBe('deny');
  });
});
