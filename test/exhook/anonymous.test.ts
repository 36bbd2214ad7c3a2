import { afterEach, describe, expect, test } from '@jest/globals';
import type { IConnectPacket } from 'mqtt-packet';
import { MqttAuthenticator } from '../../src/identity/mqtt-authenticator.js';
import { Credentials } from '../../src/identity/credentials.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { GENERATIONS } from '../../src/exhook/protocol.js';
import { ARN, policy, setOf } from '../policy/support/set.js';
import { startBroker, type Running } from '../brokers/embedded/harness.js';
import { clientInfo, meta, startProvider } from './harness.js';

const ALLOWED = { type: 'STOP_AND_RETURN', bool_result: true };
const DENIED = { type: 'STOP_AND_RETURN', bool_result: false };

const set = setOf(
  {
    sensor: policy(
      { Effect: 'Allow', Action: 'iot:Connect', Resource: `${ARN}client/sensor-*` },
      { Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/state/\${iot:ClientId}` },
    ),
    all: policy({ Effect: 'Allow', Action: '*', Resource: '*' }),
  },
  {
    principals: {
      sensors: { anonymous: true, match: { clientId: 'sensor-*', sourceIp: '127.0.0.0/8' }, policies: ['sensor'] },
      strangers: { anonymous: true, match: { clientId: 'stranger' }, policies: ['sensor'] },
      named: { match: { clientId: 'named' }, policies: ['all'] },
      backend: { match: { username: '*' }, policies: ['all'] },
    },
  },
);

/** What `serve` has: policies, and who is who by them. */
const credentials = Credentials.parse({ mqttUsers: { backend: 'secret' } });
const behind = {
  authorizer: new PolicyAuthorizer(() => set),
  authenticator: new MqttAuthenticator({
    credentials: () => credentials,
    admitsAnonymous: (identity) => set.resolve(identity) !== undefined,
    service: { username: 'tightbeam', password: 'own' },
  }),
};

describe.each(GENERATIONS)('a client with neither username nor certificate, by generation %s', (generation) => {
  let harness: Awaited<ReturnType<typeof startProvider>>;
  afterEach(() => harness.stop());

  const nobody = { username: '', peerhost: '127.0.0.1' };
  const ask = async (info: Parameters<typeof clientInfo>[0]) => {
    harness = await startProvider(behind);
    return harness.call(generation, 'OnClientAuthenticate', {
      clientinfo: clientInfo({ ...nobody, ...info }),
      result: true,
      meta,
    });
  };

  test('is admitted where an anonymous principal stands for it', async () => {
    expect(await ask({ clientid: 'sensor-1' })).toEqual(ALLOWED);
  });

  test.each([
    ['of another client ID', { clientid: 'lock-1' }, 'MISSING_CREDENTIALS'],
    ['from elsewhere', { clientid: 'sensor-1', peerhost: '10.0.0.1' }, 'MISSING_CREDENTIALS'],
    ['for whom a principal stands that is not anonymous', { clientid: 'named' }, 'MISSING_CREDENTIALS'],
    ['whose policies do not let it connect', { clientid: 'stranger' }, 'CONNECT_NOT_AUTHORIZED'],
    ['with a username that nobody verified', { clientid: 'sensor-1', username: 'u' }, 'INVALID_CREDENTIALS'],
    ['with a password alone', { clientid: 'sensor-1', password: 'p' }, 'INVALID_CREDENTIALS'],
    ['with a certificate that a proxy told of', { clientid: 'sensor-1', cn: 'a', dn: 'a' }, 'MISSING_CREDENTIALS'],
  ])('is refused %s', async (_, info, reason) => {
    expect(await ask(info)).toEqual(DENIED);
    expect(await harness.events.next('Connect')).toMatchObject({ reason });
  });

  test('may do what its policies allow, and nothing that others may', async () => {
    expect(await ask({ clientid: 'sensor-1' })).toEqual(ALLOWED);
    const publish = (topic: string, clientid: string) =>
      harness.call(generation, 'OnClientAuthorize', {
        clientinfo: clientInfo({ ...nobody, clientid }),
        type: 'PUBLISH',
        topic,
        result: true,
        meta,
      });
    expect(await publish('state/sensor-1', 'sensor-1')).toEqual(ALLOWED);
    expect(await publish('state/sensor-2', 'sensor-1')).toEqual(DENIED);
    expect(await publish('state/named', 'named')).toEqual(DENIED);
  });
});

describe('on the embedded broker', () => {
  let running: Running;
  afterEach(() => running.stop());

  test('an anonymous client is admitted, and one that no such principal stands for is not', async () => {
    running = await startBroker({ provider: behind });
    const connect = (clientId: string, claim: Partial<IConnectPacket> = {}) => {
      const client = running.stranger();
      client.send({
        cmd: 'connect',
        clientId,
        protocolId: 'MQTT',
        protocolVersion: 5,
        clean: true,
        keepalive: 0,
        ...claim,
      });
      return client.next('connack');
    };
    expect(await connect('sensor-1')).toMatchObject({ reasonCode: 0 });
    expect(await connect('lock-1')).toMatchObject({ reasonCode: 0x87 });
    expect(await running.events.next('Connect', ({ reason }) => reason !== undefined)).toMatchObject({
      reason: 'MISSING_CREDENTIALS',
      identity: { clientId: 'lock-1' },
    });
    const claim = { username: 'backend', password: Buffer.from('wrong') };
    expect(await connect('sensor-2', claim)).toMatchObject({ reasonCode: 0x87 });
  });
});
