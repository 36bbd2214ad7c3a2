import {
  GetConnectionCommand,
  IoTDataPlaneClient,
  SendDirectMessageCommand,
  type SendDirectMessageCommandInput,
} from '@aws-sdk/client-iot-data-plane';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { startService, type Service } from '../../../src/app.js';
import { DEV_DEFAULTS } from '../../../src/cli/serve.js';
import { loadConfig } from '../../../src/config/load.js';
import { captureLog, type CapturedLog } from '../../telemetry/capture.js';
import { nextMessage, RawClient } from '../embedded/harness.js';
import { connectPacket } from './harness.js';
import { hasMosquitto, startMosquitto, type Mosquitto } from './mosquitto.js';

const describeWith = hasMosquitto ? describe : describe.skip;

let mosquitto: Mosquitto;
let service: Service;
let log: CapturedLog;
let backend: IoTDataPlaneClient;
const clients: { end(force: boolean): unknown }[] = [];

/** The credentials and policies of `tightbeam dev`: `backend` may send to all locks, the dashboard to none. */
function caller(accessKeyId: string, secretAccessKey: string): IoTDataPlaneClient {
  const endpoint = `http://127.0.0.1:${service.ports.http}`;
  const credentials = { accessKeyId, secretAccessKey };
  return new IoTDataPlaneClient({ endpoint, region: 'us-east-1', credentials, maxAttempts: 1 });
}

async function device(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt ?? 0}`, {
    clientId,
    username: clientId,
    password: clientId,
    reconnectPeriod: 0,
    ...options,
  });
  clients.push(client);
  return client;
}

const command = (input: Partial<SendDirectMessageCommandInput> = {}) =>
  new SendDirectMessageCommand({
    clientId: 'lock-17',
    topic: 'cmd/open',
    payload: Buffer.from('now'),
    confirmation: true,
    ...input,
  });

describeWith('tightbeam serve with broker.kind door, before Mosquitto', () => {
  beforeEach(async () => {
    mosquitto = await startMosquitto();
    log = captureLog();
    const settings = {
      ...DEV_DEFAULTS,
      broker: { ...DEV_DEFAULTS.broker, kind: 'door', urls: [`unix:${mosquitto.path}`] },
      door: { port: 0 },
      http: { port: 0 },
      exhook: { port: 0 },
      telemetry: { port: 0 },
      limits: { rates: { perReceiver: { perSecond: 0.001, burst: 4 } } },
    };
    service = await startService(loadConfig(undefined, {}, settings), { broker: 'door', logDestination: log });
    await log.next(({ eventType, status }) => eventType === 'BrokerConnection' && status === 'Success');
    backend = caller('AKIAIOSFODNN7EXAMPLE', 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end(true);
    backend.destroy();
    await service.stop();
    await mosquitto.dispose();
  });

  test.each([4, 5] as const)(
    'a message by HTTP is confirmed by the PUBACK of a device, version %i',
    async (version) => {
      const received = nextMessage(await device('lock-17', { protocolVersion: version }));
      expect((await backend.send(command())).message).toBe('The device acknowledged the message.');
      expect(await received).toMatchObject({ topic: 'cmd/open', payload: 'now' });
      expect(await log.next(({ eventType }) => eventType === 'SendDirectMessage')).toMatchObject({
        reason: 'DELIVERED',
        status: 'Success',
        targetClientId: 'lock-17',
      });
    },
  );

  test('a message by HTTP reaches mosquitto_sub, which subscribed to something else', async () => {
    const arguments_ = `-h 127.0.0.1 -p ${service.ports.mqtt ?? 0} -i lock-17 -u lock-17 -P lock-17 -C 1 -t state/lock-17/x`;
    const sub = spawn('mosquitto_sub', [...arguments_.split(' '), '-F', '%t %p']);
    const output = text(sub.stdout);
    const closed = once(sub, 'close');
    await log.next(({ eventType, clientId }) => eventType === 'Subscribe' && clientId === 'lock-17');
    await backend.send(command());
    expect(await output).toBe('cmd/open now\n');
    await closed;
  });

  test('a message by MQTT is confirmed too, and both are told alike', async () => {
    const received = nextMessage(await device('lock-17'));
    const sender = await device('backend-1', { username: 'backend', password: 'backend', protocolVersion: 5 });
    await sender.publishAsync('$dm/lock-17/cmd/open', 'now', { qos: 1 });
    await received;
    expect(await log.next(({ eventType }) => eventType === 'SendDirectMessage')).toMatchObject({
      reason: 'DELIVERED',
      clientId: 'backend-1',
      targetClientId: 'lock-17',
      qos: 1,
    });
  });

  test.each([
    ['no such client', {}, 'ResourceNotFoundException', 'CLIENT_NOT_CONNECTED'],
    [
      'a payload that is too large',
      { payload: Buffer.alloc(131_073) },
      'RequestEntityTooLargeException',
      'PAYLOAD_TOO_LARGE',
    ],
    [
      'a topic that the device may not receive on',
      { clientId: 'lock-99' },
      'ForbiddenException',
      'RECEIVER_NOT_AUTHORIZED',
    ],
  ])('%s is answered with its exception and told with its reason', async (_, input, name, reason) => {
    await device('lock-99');
    await expect(backend.send(command(input))).rejects.toMatchObject({ name });
    await log.next((line) => line['reason'] === reason);
  });

  test('a sender who may not send is refused', async () => {
    await device('lock-17');
    const dashboard = caller('AKIAI44QH8DHBEXAMPLE', 'je7MtGbClwBF/2Zp9Utk/h3yCo8nvbEXAMPLEKEY');
    await expect(dashboard.send(command({ topic: 'cmd/open' }))).rejects.toMatchObject({ name: 'ForbiddenException' });
    dashboard.destroy();
  });

  test('a device that does not acknowledge is waited for, one that leaves is not', async () => {
    const silent = new RawClient(service.ports.mqtt ?? 0, 5);
    clients.push({
      end: () => {
        silent.destroy();
      },
    });
    silent.send({ ...connectPacket('lock-17'), password: Buffer.from('lock-17') });
    await silent.next('connack');
    await expect(backend.send(command({ timeout: 1 }))).rejects.toMatchObject({ name: 'GatewayTimeoutException' });
    await log.next(({ reason }) => reason === 'PUBACK_TIMEOUT');
    const answer = expect(backend.send(command({ timeout: 15 }))).rejects.toMatchObject({
      name: 'GatewayTimeoutException',
    });
    await silent.next('publish');
    await silent.next('publish');
    silent.destroy();
    await answer;
    await log.next(({ reason }) => reason === 'RECEIVER_DISCONNECTED');
  });

  test('a device that is away with a session, and one that is sent too much', async () => {
    const away = await device('lock-18', { clean: false });
    await away.endAsync();
    await log.next(({ eventType, clientId }) => eventType === 'Disconnect' && clientId === 'lock-18');
    await expect(backend.send(command({ clientId: 'lock-18' }))).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
    await log.next(({ reason }) => reason === 'CLIENT_OFFLINE_WITH_SESSION');
    await device('lock-17');
    for (let sent = 0; sent < 4; sent++) await backend.send(command());
    await expect(backend.send(command())).rejects.toMatchObject({ name: 'ThrottlingException' });
  });

  test('a client without the right password, and one without a policy, are refused and told', async () => {
    await expect(device('lock-17', { password: 'guess' })).rejects.toThrow(/authorized/i);
    await log.next(({ reason }) => reason === 'INVALID_CREDENTIALS');
    await expect(device('other', { username: 'lock-17', password: 'lock-17' })).rejects.toThrow(/authorized/i);
    await log.next(({ reason }) => reason === 'CONNECT_NOT_AUTHORIZED');
  });

  test('GetConnection knows the devices of the door', async () => {
    await device('lock-17', { keepalive: 33 });
    const connection = await backend.send(new GetConnectionCommand({ clientId: 'lock-17' }));
    expect(connection).toMatchObject({ connected: true, keepAliveDuration: 33 });
  });
});
