import { describe, expect, test } from '@jest/globals';
import { mayConnect, tellConnected, type ConnectTerms } from '../../src/clients/connect.js';
import type { Identity } from '../../src/identity/identity.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';
import { Credentials } from '../../src/identity/credentials.js';
import type { Authorizer } from '../../src/policy/authorizer.js';
import type { ConnectFacts } from '../../src/policy/conditions/context.js';
import { fakeAuthorizer } from '../exhook/fakes.js';
import { ARN, authorizerOf, policy } from '../policy/support/set.js';
import { afterwards, DENY_ALL, DEVICE, SERVICE, world } from './world.js';

const claim = { clientId: 'lock-17', username: 'lock', password: 'right', sourceIp: '10.0.0.17' };
const PLAIN: ConnectTerms = { persistent: false };

/** Remembers the facts of each CONNECT that it was asked about. */
function recordingFacts(): Authorizer & { facts: (ConnectFacts | undefined)[] } {
  const facts: (ConnectFacts | undefined)[] = [];
  const inner = fakeAuthorizer();
  return {
    ...inner,
    facts,
    connect: (identity, told) => {
      facts.push(told);
      return inner.connect(identity);
    },
  };
}

describe('a client that connects', () => {
  test('is let in where it is known and a policy allows it', async () => {
    const { context, authorizer, authenticator, events } = world();
    expect(await mayConnect({ claim }, context)).toEqual({
      allowed: true,
      identity: DEVICE,
      isService: false,
      decision: expect.objectContaining({ effect: 'allow', action: 'iot:Connect' }),
    });
    expect(authenticator.seen).toEqual([claim]);
    expect(authorizer.asked).toEqual([{ action: 'iot:Connect', identity: DEVICE, resource: 'client/lock-17' }]);
    await afterwards(context);
    // The broker may refuse it still: what is told is that it is connected.
    expect(events.all).toEqual([]);
  });

  test('is refused where it is not known, no policy is asked, and nothing unproven is told', async () => {
    const { context, authorizer, events } = world();
    const refused = { ...claim, password: 'wrong', sourcePort: 50_017, certificate: { commonName: 'x' } };
    const verdict = await mayConnect({ claim: refused, traceId: 't' }, context);
    expect(verdict).toEqual({ allowed: false, reason: 'INVALID_CREDENTIALS' });
    expect(authorizer.asked).toEqual([]);
    expect(await events.next('Connect')).toEqual({
      identity: { protocol: 'MQTT', clientId: 'lock-17', sourceIp: '10.0.0.17', sourcePort: 50_017 },
      traceId: 't',
      reason: 'INVALID_CREDENTIALS',
      details: 'The password is wrong.',
    });
  });

  test('is refused where no policy allows it, and told of by name', async () => {
    const { context, events } = world(({ action }) => action === 'iot:Connect');
    const denial = { effect: 'deny', action: 'iot:Connect' };
    expect(await mayConnect({ claim, terms: PLAIN }, context)).toMatchObject({
      allowed: false,
      reason: 'CONNECT_NOT_AUTHORIZED',
      decision: denial,
    });
    expect(await events.next('Connect')).toMatchObject({
      identity: DEVICE,
      reason: 'CONNECT_NOT_AUTHORIZED',
      decision: denial,
    });
  });

  test('gets no answer where the authenticator has none', async () => {
    const { context, authorizer } = world();
    await expect(mayConnect({ claim: { ...claim, password: 'broken' } }, context)).rejects.toThrow('on fire');
    expect(authorizer.asked).toEqual([]);
  });
});

describe('the service itself', () => {
  const service = { clientId: 'tightbeam-1', username: 'tightbeam' };

  test('needs its password, and no policy', async () => {
    const authenticator = new MqttAuthenticator({
      credentials: () => Credentials.parse({}),
      service: { username: 'tightbeam', password: 'secret' },
    });
    const { context, authorizer } = world(DENY_ALL, { authenticator });
    for (const password of [{}, { password: '' }, { password: 'guess' }]) {
      expect(await mayConnect({ claim: { ...service, ...password } }, context)).toMatchObject({
        allowed: false,
        reason: 'INVALID_CREDENTIALS',
      });
    }
    expect(await mayConnect({ claim: { ...service, password: 'secret' } }, context)).toEqual({
      allowed: true,
      identity: SERVICE,
      isService: true,
    });
    expect(authorizer.asked).toEqual([]);
  });

  test('is who was found to be it, not who claims its name', async () => {
    const identity: Identity = { protocol: 'MQTT', clientId: 'tightbeam-1', certificate: { commonName: 'lock-17' } };
    const authenticator = { authenticate: () => Promise.resolve({ ok: true, identity } as const) };
    const { context } = world(DENY_ALL, { authenticator });
    expect(await mayConnect({ claim: service }, context)).toMatchObject({ reason: 'CONNECT_NOT_AUTHORIZED' });
  });
});

describe('what the broker tells of a CONNECT', () => {
  test('is asked about, absence too', async () => {
    const authorizer = recordingFacts();
    const { context } = world(undefined, { authorizer });
    const will = { topicName: 'alarms/lock-17', retain: false };
    for (const terms of [undefined, PLAIN, { persistent: true, will, serverName: 'iot.example' }]) {
      await mayConnect({ claim, terms }, context);
      tellConnected({ identity: DEVICE, terms }, context);
      await afterwards(context);
    }
    const whole = {
      connectAttributes: ['PersistentConnect', 'LastWill'],
      lastWillTopic: 'alarms/lock-17',
      domainName: 'iot.example',
    };
    const none = { connectAttributes: [] };
    expect(authorizer.facts).toStrictEqual([undefined, undefined, none, none, whole, whole]);
  });

  test.each([
    ['nothing', undefined, false],
    ['no will', PLAIN, true],
    ['a will', { persistent: false, will: { topicName: 't', retain: false } }, false],
  ])('of %s decides where a policy denies wills', async (_, terms, allowed) => {
    const all = { Effect: 'Allow', Action: '*', Resource: '*' };
    const noWill = {
      Effect: 'Deny',
      Action: 'iot:Connect',
      Resource: `${ARN}client/*`,
      Condition: { StringEquals: { 'iot:ConnectAttributes': 'LastWill' } },
    };
    const authorizer = authorizerOf({ p: policy(all, noWill) });
    const authenticator = {
      authenticate: () =>
        Promise.resolve({ ok: true, identity: { protocol: 'MQTT', clientId: 'c', username: 'u' } } as const),
    };
    const { context } = world(undefined, { authorizer, authenticator });
    expect(await mayConnect({ claim, terms }, context)).toMatchObject({ allowed });
  });

  test.each([true, false])('of TLS (%s) is part of who the client is', async (secureTransport) => {
    const { context, authorizer } = world();
    expect(await mayConnect({ claim, secureTransport }, context)).toMatchObject({ identity: { secureTransport } });
    expect(authorizer.asked[0]?.identity.secureTransport).toBe(secureTransport);
  });

  test('of no TLS leaves what the authenticator found', async () => {
    const found = { ...DEVICE, secureTransport: true };
    const authenticator = { authenticate: () => Promise.resolve({ ok: true, identity: found } as const) };
    const { context } = world(undefined, { authenticator });
    expect(await mayConnect({ claim }, context)).toMatchObject({ identity: found });
  });
});

describe('a will', () => {
  const terms = (topicName: string) => ({ persistent: false, will: { topicName, retain: true } });

  test('has to be one that the client may publish', async () => {
    const asked: unknown[] = [];
    const inner = fakeAuthorizer(({ action }) => action === 'iot:Publish');
    const authorizer: Authorizer = {
      ...inner,
      publish: (...question) => {
        asked.push(question);
        return inner.publish(...question);
      },
    };
    const { context, events } = world(undefined, { authorizer });
    expect(await mayConnect({ claim, terms: terms('alarms') }, context)).toMatchObject({
      allowed: false,
      reason: 'CONNECT_NOT_AUTHORIZED',
      decision: { action: 'iot:Publish' },
    });
    expect(asked).toEqual([[DEVICE, 'alarms', { retain: true }]]);
    expect(await events.next('Connect')).toMatchObject({ identity: DEVICE, details: 'The topic of the will.' });
  });

  test.each(['$dm', '$dm/lock-18/t'])('is refused on %s whatever the policies say', async (topicName) => {
    const { context, events } = world();
    expect(await mayConnect({ claim, terms: terms(topicName) }, context)).toMatchObject({
      allowed: false,
      reason: 'CONNECT_NOT_AUTHORIZED',
    });
    expect(await events.next('Connect')).toMatchObject({ details: 'A will cannot be a direct message.' });
  });

  test('that may be published stands in no way', async () => {
    const { context } = world();
    expect(await mayConnect({ claim, terms: terms('alarms') }, context)).toMatchObject({
      allowed: true,
      decision: { action: 'iot:Connect' },
    });
  });
});

test('a connected client is told of with the decision that lets it in, the service without', async () => {
  const { context, events } = world();
  tellConnected({ identity: DEVICE }, context);
  tellConnected({ identity: SERVICE }, context);
  expect(events.all).toEqual([]);
  await afterwards(context);
  expect(events.all).toEqual([
    { name: 'Connect', event: { identity: DEVICE, decision: expect.objectContaining({ action: 'iot:Connect' }) } },
    { name: 'Connect', event: { identity: SERVICE } },
  ]);
});
