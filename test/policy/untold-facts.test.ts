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
