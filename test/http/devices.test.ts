import { afterEach, describe, expect, it } from '@jest/globals';
import type { EventRecord } from '../../src/observing/events.js';
import { BrokerFault, type BrokerOperations, type Connection } from '../../src/operations/broker.js';
import { PolicyAuthorizer } from '../../src/policy/deciding/engine.js';
import { renderDevice } from '../../src/cli/device.js';
import type { Device } from '../../src/operations/devices.js';
import { ARN, policy, setOf } from '../policy/support/set.js';
import { call, CREDENTIALS, expectError, startServer, type TestServer } from './support.js';

let server: TestServer;
afterEach(() => server.dataPlane.stop());

const PATH = '/tightbeam/v1/devices/lock-17';
const CONNECTION: Connection = {
  clientId: 'lock-17',
  connected: true,
  cleanSession: false,
  protocolVersion: 5,
  username: 'lock',
  inFlight: 1,
  waiting: 2,
  keepAliveSeconds: 30,
  connectedSince: 1_000,
  socket: { sourceIp: '192.0.2.7', sourcePort: 50_123 },
};

/** The caller may describe lock-17 alone. */
async function start(connection: Connection | undefined, subscriptions: BrokerOperations['listSubscriptions']) {
  const principals = {
    principals: {
      caller: { match: { accessKeyId: CREDENTIALS.accessKeyId }, policies: ['caller'] },
      locks: { match: { username: 'lock' }, policies: ['lock'] },
    },
  };
  const set = setOf(
    {
      caller: policy({ Effect: 'Allow', Action: 'tightbeam:DescribeDevice', Resource: `${ARN}client/lock-17` }),
      lock: policy(
        { Effect: 'Allow', Action: 'iot:Receive', Resource: `${ARN}topic/cmd/*` },
        { Effect: 'Allow', Action: 'iot:Publish', Resource: `${ARN}topic/state` },
      ),
    },
    principals,
  );
  const broker = {
    getConnection: () => Promise.resolve(connection),
    listSubscriptions: subscriptions,
  } as unknown as BrokerOperations;
  server = await startServer({
    authorizer: new PolicyAuthorizer(() => set),
    policies: () => set,
    behind: { broker, publisher: { publish: () => Promise.resolve() } },
  });
}

function happened(at: number, record: Partial<EventRecord>): void {
  server.recent.take({
    at,
    record: { traceId: 't', status: 'Success', eventType: 'Connect', clientId: 'lock-17', ...record },
    line: '\n',
  });
}

describe('GET /tightbeam/v1/devices/{clientId}', () => {
  it('tells the connection, the subscriptions, what policies allow, and the last 20 events', async () => {
    await start(CONNECTION, () => Promise.resolve([{ topicFilter: 'cmd/#', qos: 1 }]));
    for (let at = 1; at <= 25; at += 1) happened(at, { eventType: 'Publish-In', topicName: `state/${at}` });
    happened(26, { clientId: 'lock-18' });
    happened(27, { clientId: 'backend', targetClientId: 'lock-17', eventType: 'SendDirectMessage' });
    const { status, body } = await call(server.port, { method: 'GET', path: PATH });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      clientId: 'lock-17',
      connected: true,
      principal: 'locks',
      connection: CONNECTION,
      subscriptions: [{ topicFilter: 'cmd/#', qos: 1 }],
      directMessages: { allowed: [{ action: 'iot:Receive', resource: 'topic/cmd/*' }], denied: [] },
    });
    const events = body['events'] as { at: number }[];
    expect(events.map(({ at }) => at)).toEqual([...Array.from({ length: 19 }, (_, index) => index + 7), 27]);
    const printed = renderDevice(body as unknown as Device);
    expect(printed).toContain('lock-17, connected since 1970-01-01T00:00:01.000Z');
    expect(printed).toContain('MQTT 5, user lock, from 192.0.2.7:50123, keep alive 30 s');
    expect(printed).toContain('1 in flight, 2 waiting');
    expect(printed).toContain('iot:Receive topic/cmd/*');
    expect(server.events.told).toMatchObject([{ eventType: 'DescribeDevice', clientId: 'lock-17' }]);
  });

  it('tells when and why a device left that the broker has forgotten', async () => {
    await start(undefined, () => Promise.resolve(undefined));
    happened(5, { principalId: 'locks' });
    happened(9, { eventType: 'Disconnect', disconnectReason: 'MQTT_KEEP_ALIVE_TIMEOUT' });
    const { status, body } = await call(server.port, { method: 'GET', path: PATH });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      connected: false,
      principal: 'locks',
      disconnected: { at: 9, reason: 'MQTT_KEEP_ALIVE_TIMEOUT' },
    });
    expect(renderDevice(body as unknown as Device)).toContain('MQTT_KEEP_ALIVE_TIMEOUT');
  });

  it('says what the broker cannot tell', async () => {
    await start(CONNECTION, () => Promise.reject(new BrokerFault('NOT_SUPPORTED', 'It does not say.')));
    const { status, body } = await call(server.port, { method: 'GET', path: PATH });
    expect(status).toBe(200);
    expect(body).toMatchObject({ connected: true, untold: 'It does not say.' });
    expect(body).not.toHaveProperty('subscriptions');
  });

  it('answers 404 for one of which nothing is known', async () => {
    await start(undefined, () => Promise.resolve(undefined));
    expectError(await call(server.port, { method: 'GET', path: PATH }), 'CLIENT_NOT_CONNECTED');
  });

  it('tells nothing of a device that the caller may not know of', async () => {
    await start(CONNECTION, () => Promise.resolve([]));
    const refused = await call(server.port, { method: 'GET', path: '/tightbeam/v1/devices/lock-18' });
    expectError(refused, 'OPERATION_NOT_AUTHORIZED');
  });
});
