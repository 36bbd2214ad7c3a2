import { afterEach, describe, expect, test } from '@jest/globals';
import type { RequestOf } from '../../src/exhook/wire.js';
import type { HookProviderOptions } from '../../src/exhook/provider.js';
import { Credentials } from '../../src/identity/credentials.js';
import { GuessLimit } from '../../src/identity/guess-limit.js';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';
import { fakeAuthorizer } from './fakes.js';
import { clientInfo, meta, startProvider } from './harness.js';

const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };
const DENIED = { type: 'STOP_AND_RETURN', bool_result: false };

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

const start = async (options: Partial<HookProviderOptions> = {}) => {
  harness = await startProvider(options);
};
const authenticate = (info: Parameters<typeof clientInfo>[0], result = false) =>
  harness.call('v2', 'OnClientAuthenticate', { clientinfo: clientInfo(info), result, meta });
const authorize = (
  type: RequestOf<'OnClientAuthorize'>['type'],
  topic: string,
  info: Parameters<typeof clientInfo>[0] = {},
) => harness.call('v2', 'OnClientAuthorize', { clientinfo: clientInfo(info), type, topic, result: true, meta });

describe('authentication', () => {
  test('hands on what the client brought, and nothing that the broker says of it', async () => {
    await start();
    await authenticate({ password: 'pw', cn: 'lock-17', dn: 'CN=lock-17,O=Acme' }, true);
    expect(harness.authenticator.seen).toEqual([
      {
        clientId: 'lock-17',
        username: 'lock-17',
        password: 'pw',
        certificate: { commonName: 'lock-17', distinguishedName: 'CN=lock-17,O=Acme' },
        sourceIp: '10.0.0.17',
        sourcePort: 50_017,
        askedBy: '127.0.0.1',
      },
    ]);
  });

  test('knows no certificate that a proxy told of', async () => {
    await start();
    await authenticate({ cn: 'lock-17', dn: 'lock-17' });
    expect(harness.authenticator.seen).toMatchObject([{ certificateFault: expect.stringContaining('PROXY protocol') }]);
    expect(harness.authenticator.seen[0]).not.toHaveProperty('certificate');
    await authorize('PUBLISH', 'a/b', { cn: 'lock-17', dn: 'lock-17' });
    const [{ identity }] = harness.authorizer.asked.slice(-1) as [(typeof harness.authorizer.asked)[number]];
    expect(identity).not.toHaveProperty('certificate');
    expect(identity).not.toHaveProperty('secureTransport');
  });

  test('leaves out what the client did not bring', async () => {
    await start();
    await authenticate({ username: '', peerport: 0, peerhost: '' });
    expect(harness.authenticator.seen).toEqual([{ clientId: 'lock-17', askedBy: '127.0.0.1' }]);
  });

  test('refuses, and tells why without naming an unverified principal', async () => {
    await start();
    expect(await authenticate({ password: 'wrong' })).toEqual(DENIED);
    expect(await harness.events.next('Connect')).toEqual({
      identity: { protocol: 'MQTT', clientId: 'lock-17', sourceIp: '10.0.0.17', sourcePort: 50_017 },
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
      reason: 'INVALID_CREDENTIALS',
      details: 'The password is wrong.',
    });
  });

  test('knows the address of who asks, and limits guesses by it', async () => {
    const credentials = Credentials.parse({ mqttUsers: { 'lock-17': 'right' } });
    const inner = new MqttAuthenticator({ credentials: () => credentials, service: { username: 'tightbeam' } });
    const authenticator = new GuessLimit({ authenticator: inner, serviceUsername: 'tightbeam', clock: () => 0 });
    await start({ authenticator });
    for (let at = 0; at < 11; at++) await authenticate({ password: `guess ${at}` });
    expect(await authenticate({ password: 'right' })).toEqual(DENIED);
    expect(await harness.events.next('Connect', ({ reason }) => reason !== 'INVALID_CREDENTIALS')).toMatchObject({
      reason: 'AUTHENTICATION_THROTTLED',
      identity: { clientId: 'lock-17', sourceIp: '10.0.0.17' },
    });
  });

  test('is followed by the policy on iot:Connect', async () => {
    const authorizer = fakeAuthorizer(({ action }) => action === 'iot:Connect');
    await start({ authorizer });
    expect(await authenticate({})).toEqual(DENIED);
    expect(authorizer.asked).toMatchObject([{ action: 'iot:Connect', resource: 'client/lock-17' }]);
    expect(await harness.events.next('Connect')).toMatchObject({
      reason: 'CONNECT_NOT_AUTHORIZED',
      decision: { effect: 'deny' },
      identity: { username: 'lock-17' },
    });
  });

  test('of the service itself needs no policy', async () => {
    await start({ authorizer: fakeAuthorizer(() => true) });
    expect(await authenticate({ username: 'tightbeam', clientid: 'tightbeam-1' })).toEqual(ALLOWED);
    expect(await authenticate({ username: 'tightbeam', clientid: 'tightbeam-1', password: 'wrong' })).toEqual(DENIED);
  });

  test('denies where the authenticator fails, and logs no secret', async () => {
    await start();
    expect(await authenticate({ password: 'broken' })).toEqual(DENIED);
    expect(harness.logged).toEqual([
      [
        'error',
        'A hook call failed.',
        { call: 'OnClientAuthenticate', answered: DENIED, error: 'the store is on fire' },
      ],
    ]);
  });
});

describe('authorization', () => {
  test('of ordinary topics asks for publish and subscribe', async () => {
    await start();
    expect(await authorize('PUBLISH', 'state/lock-17')).toEqual(ALLOWED);
    expect(await authorize('SUBSCRIBE', 'commands/+')).toEqual(ALLOWED);
    expect(harness.authorizer.asked).toMatchObject([
      { action: 'iot:Publish', resource: 'topic/state/lock-17', identity: { username: 'lock-17' } },
      { action: 'iot:Subscribe', resource: 'topicfilter/commands/+' },
    ]);
    expect(await harness.events.next('Subscribe')).toMatchObject({ topicName: 'commands/+' });
  });

  test('knows a direct topic behind the mountpoint of the listener too', async () => {
    await start();
    const mounted = { mountpoint: 'tenant/' };
    await authorize('PUBLISH', 'tenant/$dm/lock-18/t', mounted);
    await authorize('SUBSCRIBE', 'tenant/$dm/lock-17/t', mounted);
    expect(await authorize('SUBSCRIBE', 'tenant/$share/g/$dm/lock-17/t', mounted)).toEqual(DENIED);
    await authorize('PUBLISH', 'tenant/state', mounted);
    await authorize('PUBLISH', '$dm/lock-18/t', mounted);
    expect(harness.authorizer.asked.map(({ action, resource }) => `${action} ${resource}`)).toEqual([
      'iot:SendDirectMessage client/lock-18',
      'iot:Receive topic/t',
      'iot:Publish topic/tenant/state',
      'iot:SendDirectMessage client/lock-18',
    ]);
  });

  test('treats other $-topics as ordinary ones', async () => {
    await start();
    await authorize('PUBLISH', '$dmx/a/b');
    await authorize('SUBSCRIBE', '$SYS/#');
    await authorize('SUBSCRIBE', '$share/g/jobs/+');
    expect(harness.authorizer.asked.map(({ resource }) => resource)).toEqual([
      'topic/$dmx/a/b',
      'topicfilter/$SYS/#',
      'topicfilter/$share/g/jobs/+',
    ]);
  });

  test('refuses and tells of it', async () => {
    await start({ authorizer: fakeAuthorizer(() => true) });
    expect(await authorize('PUBLISH', 'forbidden/y')).toEqual(DENIED);
    expect(await authorize('SUBSCRIBE', 'forbidden/x')).toEqual(DENIED);
    expect(await harness.events.next('Publish-In')).toMatchObject({
      topicName: 'forbidden/y',
      reason: 'PUBLISH_NOT_AUTHORIZED',
    });
    expect(await harness.events.next('Subscribe')).toMatchObject({
      topicName: 'forbidden/x',
      reason: 'SUBSCRIBE_NOT_AUTHORIZED',
    });
  });

  test('takes the certificate of the connection into the identity', async () => {
    await start();
    await authorize('PUBLISH', 't', { username: '', cn: 'Client', dn: 'CN=Client,O=EMQ' });
    expect(harness.authorizer.asked[0]?.identity).toEqual({
      protocol: 'MQTT',
      clientId: 'lock-17',
      certificate: { commonName: 'Client', distinguishedName: 'CN=Client,O=EMQ' },
      sourceIp: '10.0.0.17',
      sourcePort: 50_017,
      secureTransport: true,
    });
  });

  test('takes a certificate whose subject has no common name too', async () => {
    await start();
    await authorize('PUBLISH', 't', { username: '', cn: '', dn: 'O=EMQ' });
    expect(harness.authorizer.asked[0]?.identity).toMatchObject({
      certificate: { commonName: '', distinguishedName: 'O=EMQ' },
      secureTransport: true,
    });
  });

  test('denies where the policy engine fails', async () => {
    await start({
      authorizer: {
        ...fakeAuthorizer(),
        publish: () => {
          throw new Error('boom');
        },
      },
    });
    expect(await authorize('PUBLISH', 't')).toEqual(DENIED);
    expect(harness.logged).toMatchObject([['error', 'A hook call failed.', { error: 'boom' }]]);
  });

  test('is not undone by an event that cannot be recorded', async () => {
    await start({ authorizer: fakeAuthorizer(() => true) });
    const { tell } = harness.events;
    harness.events.tell = (type, event) => {
      if (type === 'Publish-In') throw new Error('disk full');
      tell(type, event);
    };
    expect(await authorize('PUBLISH', 't')).toEqual(DENIED);
    await authorize('SUBSCRIBE', 't');
    await harness.events.next('Subscribe');
    expect(harness.logged).toMatchObject([['error', 'An event could not be recorded.', { error: 'disk full' }]]);
  });
});

describe('authorization of direct messages', () => {
  test('asks whether the sender may send, with the client ID decoded', async () => {
    await start();
    expect(await authorize('PUBLISH', '$dm/caf%C3%A9%2F1/commands/open')).toEqual(ALLOWED);
    expect(harness.authorizer.asked).toMatchObject([
      { action: 'iot:SendDirectMessage', resource: 'client/café/1', topic: 'commands/open' },
    ]);
  });

  test('refuses the sender, and that is the outcome of the message', async () => {
    await start({ authorizer: fakeAuthorizer(({ action }) => action === 'iot:SendDirectMessage') });
    expect(await authorize('PUBLISH', '$dm/lock-18/commands/open')).toEqual(DENIED);
    const event = await harness.events.next('SendDirectMessage');
    expect(event).toMatchObject({
      sender: { clientId: 'lock-17' },
      message: { targetClientId: 'lock-18', topic: 'commands/open' },
      reason: 'SENDER_NOT_AUTHORIZED',
      decision: { effect: 'deny' },
    });
    expect(event.traceId).toMatch(/^[0-9a-f]{32}$/);
  });

  test.each(['$dm', '$dm/%zz/t', '$dm/+/t'])('refuses %s, which addresses nobody', async (topic) => {
    await start();
    expect(await authorize('PUBLISH', topic)).toEqual(DENIED);
    expect(await harness.events.next('SendDirectMessage')).toMatchObject({
      message: { topic },
      reason: expect.stringMatching(/^INVALID_/),
    });
  });

  test('asks whether the receiver may receive', async () => {
    await start();
    expect(await authorize('SUBSCRIBE', '$dm/lock-17/commands/open')).toEqual(ALLOWED);
    expect(harness.authorizer.asked).toMatchObject([
      { action: 'iot:Receive', resource: 'topic/commands/open', identity: { clientId: 'lock-17' } },
    ]);
  });

  test('refuses the receiver, and tells which policy did', async () => {
    await start({ authorizer: fakeAuthorizer(({ action }) => action === 'iot:Receive') });
    expect(await authorize('SUBSCRIBE', '$dm/lock-17/commands/open')).toEqual(DENIED);
    expect(await harness.events.next('Receive')).toMatchObject({
      clientId: 'lock-17',
      topicName: 'commands/open',
      reason: 'RECEIVER_NOT_AUTHORIZED',
    });
  });

  test.each([
    '$dm/lock-18/t',
    '$dm/#',
    '$dm/+/t',
    '$dm/lock-17/#',
    '$dm/lock-17/+',
    '$dm',
    '$share/g/$dm/lock-17/t',
    '$queue/$dm/lock-17/t',
    '$exclusive/$dm/lock-17/t',
  ])('lets nobody subscribe to %s', async (filter) => {
    await start();
    expect(await authorize('SUBSCRIBE', filter)).toEqual(DENIED);
    expect(await harness.events.next('Subscribe')).toMatchObject({ reason: 'SUBSCRIBE_NOT_AUTHORIZED' });
    expect(harness.authorizer.asked).toEqual([]);
  });

  test('lets the service publish, and receive only what is sent to itself', async () => {
    await start({ authorizer: fakeAuthorizer(() => true) });
    const service = { username: 'tightbeam', clientid: 'tightbeam-1' };
    expect(await authorize('PUBLISH', '$dm/lock-17/t', service)).toEqual(ALLOWED);
    expect(await authorize('SUBSCRIBE', '$dm/tightbeam-1/ready', service)).toEqual(ALLOWED);
    expect(await authorize('SUBSCRIBE', '$dm/lock-17/t', service)).toEqual(DENIED);
    expect(await authorize('PUBLISH', 'other', service)).toEqual(ALLOWED);
    expect(await authorize('SUBSCRIBE', '#', service)).toEqual(DENIED);
  });
});
