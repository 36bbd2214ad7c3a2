/** What the plugin asks in ExHook's place, with the facts of a connection. */
import { afterEach, describe, expect, test } from '@jest/globals';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { readQuestion } from '../../src/exhook/question.js';
import type { HookProviderOptions } from '../../src/exhook/provider.js';
import { Authority, opensslAvailable } from '../http/pki.js';
import { ARN, authorizerOf, policy } from '../policy/support/set.js';
import { clientInfo, meta, startProvider } from './harness.js';

const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };
/** To a connect: the client has proved who it is. */
const DENIED_KNOWN = { type: 'CONTINUE', bool_result: false };
const DENIED = { type: 'STOP_AND_RETURN', bool_result: false };
const UNLESS_WILL = { type: 'CONTINUE', bool_result: true };
const CLEAN = { persistent: false, secureTransport: false, serverName: null };

let harness: Awaited<ReturnType<typeof startProvider>>;
afterEach(() => harness.stop());

const start = async (options: Partial<HookProviderOptions> = {}) => {
  harness = await startProvider(options);
};
/** A provider with these statements beside those that allow all. */
const under = (...statements: object[]) =>
  start({ authorizer: authorizerOf({ p: policy(...EVERYTHING, ...statements) }) });
const asked = (topic: string, info: Parameters<typeof clientInfo>[0] = {}, type: 'PUBLISH' | 'SUBSCRIBE' = 'PUBLISH') =>
  harness.call('v3', 'OnClientAuthorize', { clientinfo: clientInfo(info), type, topic, result: false, meta });
const ask = (question: object, info: Parameters<typeof clientInfo>[0] = {}) =>
  asked(`$tightbeam/+/${JSON.stringify({ ...CLEAN, ...question })}`, info);

const EVERYTHING = ['iot:Connect', 'iot:Publish', 'iot:Subscribe', 'iot:Receive', 'iot:RetainPublish'].map(
  (Action) => ({
    Effect: 'Allow',
    Action,
    Resource: '*',
  }),
);
const deny = (Action: string, Condition?: object, Resource = '*') => ({
  Effect: 'Deny',
  Action,
  Resource,
  ...(Condition && { Condition }),
});
const attribute = (value: string) => ({ 'ForAnyValue:StringEquals': { 'iot:ConnectAttributes': value } });

describe('connect', () => {
  test('says who the client is and whether it may connect, in one', async () => {
    await start();
    expect(await ask({ ask: 'connect' }, { password: 'pw' })).toEqual(ALLOWED);
    expect(harness.authenticator.seen).toMatchObject([{ username: 'lock-17', password: 'pw', askedBy: '127.0.0.1' }]);
    // Without a will, and with one.
    const connect = { action: 'iot:Connect', identity: { secureTransport: false } };
    expect(harness.authorizer.asked).toMatchObject([connect, connect]);
    expect(await ask({ ask: 'connect' }, { password: 'wrong' })).toEqual(DENIED);
  });

  test('decides by the session that the client asks for', async () => {
    await under(deny('iot:Connect', attribute('PersistentConnect')));
    expect(await ask({ ask: 'connect' })).toEqual(ALLOWED);
    expect(await ask({ ask: 'connect', persistent: true })).toEqual(DENIED_KNOWN);
  });

  test('is answered on approval where the will makes a difference, and nowhere else', async () => {
    await under(deny('iot:Connect', attribute('LastWill'), `${ARN}client/lock-17`));
    expect(await ask({ ask: 'connect' })).toEqual(UNLESS_WILL);
    expect(await ask({ ask: 'connect' }, { clientid: 'another' })).toEqual(ALLOWED);
    expect(await ask({ ask: 'connect' }, { username: 'tightbeam', clientid: 'tightbeam-1' })).toEqual(ALLOWED);
  });

  test('lets nobody in by a fact that the broker does not tell', async () => {
    await under(deny('iot:Connect', { StringNotEquals: { 'iot:DomainName': 'a.example' } }));
    expect(await ask({ ask: 'connect', serverName: 'a.example' })).toEqual(ALLOWED);
    expect(await ask({ ask: 'connect', serverName: null })).toEqual(DENIED_KNOWN);
    expect(await ask({ ask: 'connect', serverName: undefined })).toEqual(DENIED_KNOWN);
  });
});

describe('will', () => {
  const will = { topic: 'state/lock-17', retain: true };

  test('is refused where the attribute is, and allowed without one', async () => {
    await under(deny('iot:Connect', attribute('LastWill')));
    expect(await ask({ ask: 'will', will })).toEqual(DENIED);
    expect(await ask({ ask: 'will' })).toEqual(ALLOWED);
    expect(await harness.events.next('Connect')).toMatchObject({ reason: 'CONNECT_NOT_AUTHORIZED' });
  });

  test('needs leave to publish it, and to retain it', async () => {
    await under(deny('iot:RetainPublish'));
    expect(await ask({ ask: 'will', will })).toEqual(DENIED);
    expect(await ask({ ask: 'will', will: { ...will, retain: false } })).toEqual(ALLOWED);
  });
});

describe('publish and subscribe', () => {
  test('a retained publish needs iot:RetainPublish', async () => {
    await under(deny('iot:RetainPublish'));
    expect(await ask({ ask: 'publish', topic: 'a', qos: 1, retain: true })).toEqual(DENIED);
    expect(await ask({ ask: 'publish', topic: 'a', qos: 1, retain: false })).toEqual(ALLOWED);
    expect(await harness.events.next('Publish-In')).toMatchObject({ topicName: 'a', qos: 1 });
  });

  test('a subscription is decided by its filter, a direct message by its receiver', async () => {
    await start();
    expect(await ask({ ask: 'subscribe', topic: 'a/#', qos: 1 })).toEqual(ALLOWED);
    expect(await ask({ ask: 'subscribe', topic: '$dm/lock-17/cmd', qos: 1 })).toEqual(ALLOWED);
    expect(await ask({ ask: 'publish', topic: '$dm/lock-18/cmd', qos: 1, retain: false })).toEqual(ALLOWED);
    expect(harness.authorizer.asked.map(({ action, resource }) => [action, resource])).toEqual([
      ['iot:Subscribe', 'topicfilter/a/#'],
      ['iot:Receive', 'topic/cmd'],
      ['iot:SendDirectMessage', 'client/lock-18'],
    ]);
  });

  test('TLS without a certificate counts', async () => {
    await under(deny('*', { Bool: { 'aws:SecureTransport': 'false' } }));
    expect(await ask({ ask: 'publish', topic: 'a', secureTransport: true })).toEqual(ALLOWED);
    expect(await ask({ ask: 'publish', topic: 'a', secureTransport: false })).toEqual(DENIED);
    expect(await asked('a')).toEqual(DENIED);
  });

  (opensslAvailable ? test : test.skip)('a certificate is told whole', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tightbeam-questions-'));
    const { cert } = new Authority(folder, 'Acme').issue('/CN=lock-17');
    const { raw, serialNumber, fingerprint256 } = new X509Certificate(readFileSync(cert));
    rmSync(folder, { recursive: true });
    const certificate = raw.toString('base64');
    const told = { ask: 'publish', topic: 'a', secureTransport: true, certificate };
    const of = (key: string, value: string) => ({ StringNotEquals: { [`iot:Certificate${key}`]: value } });
    await under(
      deny('iot:Publish', of('.Issuer.CommonName', 'Acme'), `${ARN}topic/a`),
      deny('iot:Publish', of('.SerialNumber', serialNumber), `${ARN}topic/a`),
      deny('iot:Publish', of('Id', fingerprint256.replaceAll(':', '').toLowerCase()), `${ARN}topic/a`),
      deny('iot:Publish', of('.Issuer.CommonName', 'Another'), `${ARN}topic/b`),
    );
    const subject = { cn: 'lock-17', dn: 'CN=lock-17' };
    expect(await ask(told, subject)).toEqual(ALLOWED);
    expect(await ask({ ...told, topic: 'b' }, subject)).toEqual(DENIED);
    // Of a name in a header of the PROXY protocol there is none; what is none says nothing.
    expect(await ask({ ...told, certificate: undefined }, subject)).toEqual(DENIED);
    expect(await ask({ ...told, certificate: 'AQID' }, subject)).toEqual(DENIED);
  });
});

describe('what is no question', () => {
  test.each([
    '$tightbeam/connect',
    '$tightbeam/+',
    '$tightbeam/+/',
    '$tightbeam/+/null',
    '$tightbeam/+/{}',
    '$tightbeam/+/{"ask":"publish"}',
    '$tightbeam/+/{"ask":"connect","topic":"a"}',
    '$tightbeam/+/{"ask":"connect","persistent":1}',
    '$tightbeam/+/{"ask":"will","will":{"topic":"a"}}',
    '$delayed/5/$tightbeam/+/{"ask":"connect"}',
    '$tightbeam',
  ])('%s is a topic on which nobody publishes', async (topic) => {
    await start();
    expect(await asked(topic)).toEqual(DENIED);
    expect(harness.authenticator.seen).toEqual([]);
    expect(await harness.events.next('Publish-In')).toMatchObject({
      reason: 'PUBLISH_NOT_AUTHORIZED',
      topicName: topic,
    });
  });

  test.each(['$tightbeam/+/{"ask":"connect"}', '$tightbeam/#', '$share/g/$tightbeam/#'])(
    '%s is a filter to which nobody subscribes',
    async (filter) => {
      await start();
      expect(await asked(filter, {}, 'SUBSCRIBE')).toEqual(DENIED);
      expect(harness.authenticator.seen).toEqual([]);
    },
  );

  test('no topic name that MQTT allows a client is a question', async () => {
    await start();
    fc.assert(
      fc.property(fc.string(), (text) => {
        const name = text.replaceAll(/[+#]/g, '');
        expect(readQuestion(`$tightbeam/${name}`)).toBeUndefined();
      }),
    );
  });
});
