import { afterEach, describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { type EventEmitter, once } from 'node:events';
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { createEmbeddedBroker } from '../../src/brokers/embedded/broker.js';
import { sendDirectMessage } from '../../src/cli/client.js';
import { until } from '../emqx/support/bench.js';
import { freePort } from '../free-port.js';
import { Container, type ContainerOptions } from './container.js';

const PRODUCTION = imageOf('TIGHTBEAM_IMAGE');
const DEV = imageOf('TIGHTBEAM_DEV_IMAGE');
const DEV_CREDENTIALS = join(import.meta.dirname, '../../dev/credentials.json');
const KEY = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };

function imageOf(variable: string): string {
  const image = process.env[variable];
  if (image === undefined) throw new Error(`${variable} is missing: run \`npm run test:image\``);
  return image;
}

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function start(image: string, command: readonly string[], options?: ContainerOptions): Container {
  const container = new Container(image, command, options);
  ends.push(() => container.end());
  return container;
}

/** A new folder of this machine, which the user of a container can read. */
function sharedFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-image-'));
  chmodSync(folder, 0o755);
  return folder;
}

/** The image for production in front of a broker that this process runs, ready to deliver. */
async function startService() {
  const [http, exhook, port] = [await freePort(), await freePort(), await freePort()];
  const credentials = sharedFolder();
  copyFileSync(DEV_CREDENTIALS, join(credentials, 'credentials.json'));
  const service = start(PRODUCTION, ['serve'], {
    environment: {
      TIGHTBEAM_HTTP_PORT: String(http),
      TIGHTBEAM_EXHOOK_PORT: String(exhook),
      TIGHTBEAM_METRICS_PORT: '0',
      TIGHTBEAM_BROKER_URLS: `mqtt://127.0.0.1:${port}`,
      TIGHTBEAM_BROKER_PASSWORD: 'of-the-service',
      TIGHTBEAM_CREDENTIALS: '/run/credentials/credentials.json',
      TIGHTBEAM_POLICIES: '/app/policies',
    },
    mounts: { '/run/credentials': credentials },
  });
  await service.line('"msg":"listening"');
  const broker = createEmbeddedBroker({
    exhookAddress: `127.0.0.1:${exhook}`,
    host: '127.0.0.1',
    port,
    serviceUsername: 'tightbeam',
    diagnostics: () => undefined,
  });
  await broker.start();
  ends.push(() => broker.close());
  const url = `http://127.0.0.1:${http}`;
  await until(async () => (await fetch(`${url}/readyz`)).ok, 60_000);
  return {
    service,
    credentials: join(credentials, 'credentials.json'),
    send: (secretAccessKey = KEY.secretAccessKey) =>
      sendDirectMessage({
        endpoint: url,
        region: 'us-east-1',
        credentials: { ...KEY, secretAccessKey },
        clientId: 'lock-17',
        topic: 'cmd/open',
        payload: Buffer.from('now'),
        confirmation: true,
        timeout: 15,
      }),
    /** A device that keeps each PUBACK until it is told. */
    connect: async () => {
      const device = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
        ...{ clientId: 'lock-17', username: 'lock-17', password: 'lock-17', protocolVersion: 5, reconnectPeriod: 0 },
      });
      ends.push(() => device.endAsync(true));
      return device;
    },
  };
}

/** The next message that comes to the device; answers what acknowledges it. */
async function nextMessage(device: MqttClient): Promise<() => void> {
  const acknowledge = new Promise<() => void>((resolve) => {
    device.handleMessage = (_packet, callback) => {
      resolve(callback);
    };
  });
  await once(device as unknown as EventEmitter, 'packetreceive');
  return acknowledge;
}

describe('the image for production', () => {
  test('runs as an ordinary user, without capabilities, on a file system that is read-only, and is healthy', async () => {
    const { service } = await startService();
    await service.checkHealth();
    const found = await service.evaluate(`
      const fs = process.getBuiltinModule('node:fs');
      const status = fs.readFileSync('/proc/1/status', 'utf8');
      const field = (name) => status.match(new RegExp('^' + name + ':\\\\s+(\\\\S+)', 'm'))[1];
      let write = 'written';
      try { fs.writeFileSync('/app/x', ''); } catch (error) { write = error.code; }
      return { uid: field('Uid'), effective: field('CapEff'), bounding: field('CapBnd'), privileges: field('NoNewPrivs'), write };
    `);
    const none = '0'.repeat(16);
    expect(found).toEqual({ uid: '1000', effective: none, bounding: none, privileges: '1', write: 'EROFS' });
  });

  test('holds the licence, and nothing that is for development', async () => {
    const { service } = await startService();
    const missing = await service.evaluate(`
      const { existsSync } = process.getBuiltinModule('node:fs');
      return ['LICENSE', 'dev', 'src', 'node_modules/aedes', 'node_modules/typescript'].filter((name) => !existsSync(name));
    `);
    expect(missing).toEqual(['dev', 'src', 'node_modules/aedes', 'node_modules/typescript']);
  });

  test('lets a confirmation in flight finish on SIGTERM, and ends with 0', async () => {
    const { service, send, connect } = await startService();
    const device = await connect();
    const arrived = nextMessage(device);
    const answer = send();
    const acknowledge = await arrived;
    await service.signal('TERM');
    await service.line('"msg":"draining"');
    acknowledge();
    expect(await answer).toMatchObject({ status: 200 });
    expect(await service.status()).toBe(0);
  });

  test('ends at once on a second SIGTERM', async () => {
    const { service, send, connect } = await startService();
    const arrived = nextMessage(await connect());
    const answer = send().catch(() => 'none');
    await arrived;
    await service.signal('TERM');
    await service.line('"msg":"draining"');
    await service.signal('TERM');
    expect(await service.status()).toBe(143);
    expect(await answer).toBe('none');
  });

  test('ends by a SIGTERM that comes before it is ready, although it is process 1', async () => {
    const folder = sharedFolder();
    execFileSync('mkfifo', [join(folder, 'settings.json')]);
    const service = start(PRODUCTION, ['serve', '--config', '/config/settings.json'], {
      mounts: { '/config': folder },
    });
    // Opens when the service has begun to read, and no sooner.
    const settings = await open(join(folder, 'settings.json'), 'w');
    await service.signal('TERM');
    await settings.close();
    expect(await service.status()).toBe(143);
  });

  test('sees credentials that are replaced by another file of the name', async () => {
    const { send, connect, credentials } = await startService();
    const device = await connect();
    device.on('message', () => undefined);
    expect(await send('renewed')).toMatchObject({ status: 401 });
    const renewed = readFileSync(credentials, 'utf8').replace(KEY.secretAccessKey, 'renewed');
    writeFileSync(`${credentials}.new`, renewed);
    renameSync(`${credentials}.new`, credentials);
    await until(async () => (await send('renewed')).status === 200, 60_000);
  });

  test('ends with 1 for a setting that is not valid, and names it', async () => {
    const service = start(PRODUCTION, ['serve'], { environment: { TIGHTBEAM_HTTP_PORT: 'x' } });
    expect(await service.status()).toBe(1);
    expect(service.output).toContain('http.port (TIGHTBEAM_HTTP_PORT)');
  });

  test('says what the demo needs', async () => {
    const demo = start(PRODUCTION, ['demo'], { network: 'none' });
    expect(await demo.status()).toBe(1);
    expect(demo.output).toContain('build its target `dev`');
  });
});

describe('the image for development', () => {
  test('shows the demo without a network', async () => {
    const demo = start(DEV, ['demo'], { network: 'none' });
    const status = await demo.status();
    expect(demo.output).toMatch(/All \d+ outcomes were as expected\./);
    expect(status).toBe(0);
  });

  test('runs the embedded broker', async () => {
    const environment = {
      TIGHTBEAM_HTTP_PORT: String(await freePort()),
      TIGHTBEAM_EXHOOK_PORT: '0',
      TIGHTBEAM_MQTT_PORT: '0',
      TIGHTBEAM_METRICS_PORT: '0',
      TIGHTBEAM_CONSOLE_PORT: '0',
    };
    const service = start(DEV, [], { environment });
    await service.line('"msg":"ready"');
    await service.checkHealth();
    await service.signal('TERM');
    expect(await service.status()).toBe(0);
  });
});
