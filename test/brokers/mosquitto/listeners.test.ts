import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrokerAddress } from '../../../src/brokers/door/broker-address.js';
import { openListeners, type Listeners } from '../../../src/brokers/door/listeners/open.js';
import { ConfigSchema } from '../../../src/config/schema.js';
import { Authority, opensslAvailable } from '../../http/pki.js';
import { nextMessage, send } from '../embedded/harness.js';
import { startDoor, type Running } from './harness.js';
import { hasMosquitto } from './mosquitto.js';
import { freePort } from '../../free-port.js';

type Files = { readonly cert: string; readonly key: string };

(hasMosquitto && opensslAvailable ? describe : describe.skip)('the door before Mosquitto', () => {
  let folder: string;
  let authority: Authority;
  let other: Authority;
  let own: Files;
  let device: Files;
  let running: Running;
  let listeners: Listeners | undefined;
  const clients: MqttClient[] = [];

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-door-'));
    authority = new Authority(folder, 'ca');
    other = new Authority(folder, 'other');
    own = authority.issue('/CN=door');
    device = authority.issue('/CN=lock-17');
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.end(true);
    const closed = listeners?.close();
    listeners = undefined;
    await running.stop();
    await closed;
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  async function connect(url: string, options: IClientOptions = {}): Promise<MqttClient> {
    const settings: IClientOptions = {
      protocolVersion: 5,
      reconnectPeriod: 0,
      ca: readFileSync(authority.certFile),
      ...options,
    };
    const client = await mqtt.connectAsync(url, settings, false);
    client.on('error', () => undefined);
    clients.push(client);
    return client;
  }

  test('takes devices by TLS with certificates, and by WebSocket, till their authority is withdrawn', async () => {
    running = await startDoor();
    const clientCa = join(folder, 'devices.pem');
    copyFileSync(authority.certFile, clientCa);
    const door = {
      port: 0,
      tls: { port: 0, ...own, clientCa },
      webSocket: { port: 0 },
      secureWebSocket: { port: 0, path: '/devices' },
    };
    const diagnostics = (...entry: unknown[]): void => void running.logged.push(entry);
    listeners = await openListeners(ConfigSchema.parse({ door }).door, running.broker, diagnostics);
    const { mqtt: plain, mqtts = 0, ws = 0, wss = 0 } = listeners.ports;
    const shown = { cert: readFileSync(device.cert), key: readFileSync(device.key) };

    const lock = await connect(`mqtts://127.0.0.1:${mqtts}`, { clientId: 'lock-17', ...shown });
    expect(running.authenticator.seen[0]).toMatchObject({
      clientId: 'lock-17',
      certificate: { commonName: 'lock-17' },
    });
    expect(await running.events.next('Connect')).toMatchObject({ identity: { secureTransport: true } });
    const browser = await connect(`ws://127.0.0.1:${ws}/mqtt`, { clientId: 'browser' });
    const page = await connect(`wss://127.0.0.1:${wss}/devices`, { clientId: 'page', wsOptions: shown });
    const backend = await connect(`mqtt://127.0.0.1:${plain}`, { clientId: 'backend' });
    for (const client of [lock, browser, page]) {
      const received = nextMessage(client);
      const large = Buffer.alloc(100_000, 'x');
      expect(await send(backend, `$dm/${String(client.options.clientId)}/t`, {}, large)).toBe(0x00);
      expect((await received).payload).toBe(large.toString());
      const ordinary = nextMessage(client);
      await client.subscribeAsync(`news/${String(client.options.clientId)}`, { qos: 1 });
      await client.publishAsync(`news/${String(client.options.clientId)}`, large, { qos: 1 });
      expect((await ordinary).payload).toBe(large.toString());
    }

    const told = Promise.all(
      [lock, page].map(
        (client) =>
          new Promise((resolve) => {
            client.once('disconnect', ({ reasonCode }) => {
              resolve(reasonCode);
            });
          }),
      ),
    );
    copyFileSync(other.certFile, clientCa);
    expect(await told).toEqual([0x87, 0x87]);
    expect(browser.connected && backend.connected).toBe(true);
    await expect(connect(`mqtts://127.0.0.1:${mqtts}`, { clientId: 'lock-17', ...shown })).rejects.toThrow();
  });

  test.each(['tcp', 'tls'] as const)('reaches the broker by %s', async (kind) => {
    const port = await freePort();
    const { cert, key } = authority.issue('/CN=broker');
    const files = kind === 'tls' ? [`cafile ${authority.certFile}`, `certfile ${cert}`, `keyfile ${key}`] : [];
    const ca = readFileSync(authority.certFile);
    const address = { host: '127.0.0.1', port };
    const client = { cert: readFileSync(device.cert), key: readFileSync(device.key) };
    const broker: BrokerAddress = kind === 'tls' ? { kind, ...address, tls: { ca, ...client } } : { kind, ...address };
    const secured = kind === 'tls' ? ['require_certificate true'] : [];
    running = await startDoor({
      mosquitto: { config: [`listener ${port} 127.0.0.1`, ...files, ...secured] },
      door: { broker },
    });
    const subscriber = await running.connect('subscriber');
    await subscriber.subscribeAsync('news', { qos: 1 });
    const received = nextMessage(subscriber);
    const large = 'x'.repeat(200_000);
    await (await running.connect('publisher')).publishAsync('news', large, { qos: 1 });
    expect((await received).payload).toBe(large);
    expect(await send(await running.connect('backend'), '$dm/subscriber/t')).toBe(0x00);
  });

  test('does not talk to a broker whose certificate is not of the authority', async () => {
    const port = await freePort();
    const { cert, key } = other.issue('/CN=broker');
    const ca = readFileSync(authority.certFile);
    running = await startDoor({
      mosquitto: { config: [`listener ${port} 127.0.0.1`, `certfile ${cert}`, `keyfile ${key}`] },
      door: { broker: { kind: 'tls', host: '127.0.0.1', port, tls: { ca } } },
    });
    await expect(running.connect('client')).rejects.toMatchObject({ code: 0x88 });
    expect(running.logged).toMatchObject([
      ['warn', expect.any(String), { error: expect.stringMatching(/certificate/) }],
    ]);
  });
});
