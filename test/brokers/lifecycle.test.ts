import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import { captureLog, type CapturedLog } from '../telemetry/capture.js';
import { hasMosquitto, startMosquitto, type Mosquitto } from './mosquitto/mosquitto.js';

const ARN = 'arn:aws:iot:us-east-1:000000000000';
const allow = (Action: string, Resource: string) => ({ Effect: 'Allow', Action, Resource });
const policy = (...Statement: object[]) => JSON.stringify({ Version: '2012-10-17', Statement });
/** Whoever may publish all there is may not publish these. */
const FILES = {
  'device.json': policy(
    allow('iot:Connect', `${ARN}:client/lock-*`),
    allow('iot:Publish', '*'),
    allow('iot:Receive', '*'),
    allow('iot:Subscribe', `${ARN}:topicfilter/cmd/*`),
  ),
  'watcher.json': policy(
    allow('iot:Connect', '*'),
    allow('iot:Receive', '*'),
    allow('iot:Subscribe', `${ARN}:topicfilter/$aws/events/*`),
  ),
  'principals.json': JSON.stringify({
    principals: {
      lock: { match: { username: 'lock' }, policies: ['device'] },
      watcher: { match: { username: 'watcher' }, policies: ['watcher'] },
    },
  }),
};
const CREDENTIALS = JSON.stringify({ accessKeys: {}, mqttUsers: { lock: 'lock', watcher: 'watcher' } });

interface Told {
  readonly topic: string;
  readonly event: Readonly<Record<string, unknown>>;
}

let mosquitto: Mosquitto | undefined;
let service: Service;
let log: CapturedLog;
let folder: string;
let credentials: string;
const clients: MqttClient[] = [];

async function start(broker: 'embedded' | 'door', lifecycleEvents: boolean): Promise<void> {
  folder = mkdtempSync(join(tmpdir(), 'tightbeam-lifecycle-'));
  for (const [name, content] of Object.entries(FILES)) writeFileSync(join(folder, name), content);
  credentials = `${folder}.credentials.json`;
  writeFileSync(credentials, CREDENTIALS);
  log = captureLog();
  if (broker === 'door') mosquitto = await startMosquitto();
  const settings = {
    ...DEV_DEFAULTS,
    policies: folder,
    credentials,
    broker: {
      ...DEV_DEFAULTS.broker,
      lifecycleEvents,
      ...(mosquitto && { kind: 'door', urls: [`unix:${mosquitto.path}`] }),
    },
    door: { port: 0 },
    embedded: { port: 0 },
    http: { port: 0 },
    exhook: { port: 0 },
    telemetry: { port: 0 },
  };
  service = await startService(loadConfig(undefined, {}, settings), { broker, logDestination: log });
  await log.next(({ eventType, status }) => eventType === 'BrokerConnection' && status === 'Success');
}

async function connect(clientId: string, username = 'lock', options: IClientOptions = {}): Promise<MqttClient> {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt ?? 0}`, {
    clientId,
    username,
    password: username,
    protocolVersion: 5,
    reconnectPeriod: 0,
    ...options,
  });
  client.on('error', () => undefined);
  clients.push(client);
  return client;
}

/** Takes what is told of clients other than itself, one after the other. */
async function watch(): Promise<() => Promise<Told>> {
  const watcher = await connect('watcher', 'watcher');
  const told: Told[] = [];
  const arrivals = new EventEmitter();
  watcher.on('message', (topic, payload) => {
    if (topic.endsWith('/watcher')) return;
    told.push({ topic, event: JSON.parse(payload.toString()) as Told['event'] });
    arrivals.emit('told');
  });
  await watcher.subscribeAsync('$aws/events/#', { qos: 1 });
  return async () => {
    for (;;) {
      const next = told.shift();
      if (next !== undefined) return next;
      await once(arrivals, 'told');
    }
  };
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const common = {
  clientId: 'lock-17',
  timestamp: expect.any(Number) as unknown,
  sessionIdentifier: expect.stringMatching(UUID) as unknown,
  principalIdentifier: 'lock',
};

describe.each(['embedded', 'door'] as const)('lifecycle events, broker %s', (broker) => {
  const testHere = broker === 'door' && !hasMosquitto ? test.skip : test;
  beforeEach(() => {
    mosquitto = undefined;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end(true);
    await service.stop();
    await mosquitto?.dispose();
    rmSync(folder, { recursive: true });
    rmSync(credentials);
  });

  testHere('have the members of AWS IoT Core and no other, in order', async () => {
    await start(broker, true);
    const next = await watch();
    const client = await connect('lock-17');
    const begin = await next();
    expect(begin).toEqual({
      topic: '$aws/events/presence/connected/lock-17',
      event: {
        ...common,
        eventType: 'connected',
        ipAddress: '127.0.0.1',
        versionNumber: expect.any(Number) as unknown,
      },
    });
    await client.subscribeAsync(['cmd/a', 'cmd/b/#']);
    expect(await next()).toEqual({
      topic: '$aws/events/subscriptions/subscribed/lock-17',
      event: { ...common, eventType: 'subscribed', topics: ['cmd/a', 'cmd/b/#'] },
    });
    await client.unsubscribeAsync('cmd/a');
    expect(await next()).toEqual({
      topic: '$aws/events/subscriptions/unsubscribed/lock-17',
      event: { ...common, eventType: 'unsubscribed', topics: ['cmd/a'] },
    });
    await client.endAsync();
    expect(await next()).toEqual({
      topic: '$aws/events/presence/disconnected/lock-17',
      event: {
        ...common,
        eventType: 'disconnected',
        sessionIdentifier: begin.event['sessionIdentifier'],
        clientInitiatedDisconnect: true,
        disconnectReason: 'CLIENT_INITIATED_DISCONNECT',
        versionNumber: begin.event['versionNumber'],
      },
    });
  });

  testHere('tell only what of a SUBSCRIBE was granted', async () => {
    await start(broker, true);
    const next = await watch();
    const client = await connect('lock-17');
    await next();
    await client.subscribeAsync(['state/x', 'cmd/a']).catch(() => undefined);
    expect((await next()).event).toMatchObject({ topics: ['cmd/a'] });
  });

  testHere('keep the identifier of a session that is carried on, and count its connections upwards', async () => {
    await start(broker, true);
    const next = await watch();
    const kept = { clean: false, properties: { sessionExpiryInterval: 60 } };
    const first = await connect('lock-17', 'lock', kept);
    const begin = await next();
    first.stream.destroy();
    expect((await next()).event).toMatchObject({
      disconnectReason: 'CONNECTION_LOST',
      clientInitiatedDisconnect: false,
    });
    await connect('lock-17', 'lock', kept);
    const again = await next();
    expect(again.event['sessionIdentifier']).toBe(begin.event['sessionIdentifier']);
    expect(again.event['versionNumber']).toBeGreaterThan(begin.event['versionNumber'] as number);
  });

  testHere('tell of a client that may not connect', async () => {
    await start(broker, true);
    const next = await watch();
    await expect(connect('gate-1')).rejects.toThrow();
    expect(await next()).toEqual({
      topic: '$aws/events/presence/connect_failed/gate-1',
      event: {
        clientId: 'gate-1',
        timestamp: expect.any(Number) as unknown,
        eventType: 'connect_failed',
        connectFailureReason: 'AUTHORIZATION_FAILED',
        sessionIdentifier: expect.stringMatching(UUID) as unknown,
        ...(broker === 'door' && { principalIdentifier: 'lock' }),
        ipAddress: '127.0.0.1',
      },
    });
  });

  testHere('are published by nobody else, not as a will either, whatever policies allow', async () => {
    await start(broker, true);
    const next = await watch();
    const client = await connect('lock-17');
    await next();
    const topic = '$aws/events/presence/connected/lock-18';
    await expect(client.publishAsync(topic, '{}', { qos: 1 })).rejects.toMatchObject({ code: 0x87 });
    expect(await log.next(({ topicName }) => topicName === topic)).toMatchObject({
      eventType: 'Publish-In',
      reason: 'PUBLISH_NOT_AUTHORIZED',
    });
    await client.endAsync();
    expect((await next()).event).toMatchObject({ eventType: 'disconnected', clientId: 'lock-17' });
    const will = { topic, payload: Buffer.from('{}'), qos: 1, retain: false } as const;
    if (broker === 'door') {
      await expect(connect('lock-19', 'lock', { will })).rejects.toThrow();
      expect((await next()).event).toMatchObject({ eventType: 'connect_failed', clientId: 'lock-19' });
      return;
    }
    // The embedded broker tells nobody of a will before it publishes it.
    const mortal = await connect('lock-19', 'lock', { will });
    expect((await next()).event).toMatchObject({ eventType: 'connected', clientId: 'lock-19' });
    mortal.stream.destroy();
    expect((await next()).event).toMatchObject({ eventType: 'disconnected', clientId: 'lock-19' });
    await log.next(({ topicName, clientId }) => topicName === topic && clientId === 'lock-19');
    await connect('lock-20');
    expect((await next()).event).toMatchObject({ eventType: 'connected', clientId: 'lock-20' });
  });

  testHere('are not there unless asked for', async () => {
    await start(broker, false);
    const watcher = await connect('watcher', 'watcher');
    const heard: string[] = [];
    watcher.on('message', (topic) => heard.push(topic));
    await watcher.subscribeAsync('$aws/events/#', { qos: 1 });
    const client = await connect('lock-17');
    await client.endAsync();
    await log.next(({ eventType, clientId }) => eventType === 'Disconnect' && clientId === 'lock-17');
    // What was published before has come when this is answered.
    await watcher.unsubscribeAsync('$aws/events/#');
    expect(heard).toEqual([]);
  });
});
