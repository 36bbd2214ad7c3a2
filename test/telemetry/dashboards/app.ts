import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startService } from '../../../src/app.js';
import { loadConfig } from '../../../src/config/load.js';
import { RawClient } from '../../brokers/embedded/harness.js';
import { captureLog } from '../capture.js';
import { POLICY, principalsOf } from '../e2e/service.js';

/** Of one user, as whom every client of the test logs in. */
const LOGIN = { username: 'clients', password: 'a password of the tests' };
const CALLER = { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'a secret of the tests' };
/** So few that a test reaches them. */
export const MOST_PENDING = 2;
export const RECEIVER_BURST = 3;

/** The application as `tightbeam dev` starts it, embedded broker and all, with policies and credentials of its own. */
export async function startApp() {
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-app-'));
  const policies = join(folder, 'policies');
  const credentials = join(folder, 'credentials.json');
  mkdirSync(policies);
  writeFileSync(join(policies, 'all.json'), POLICY);
  writeFileSync(join(policies, 'principals.json'), principalsOf(CALLER.accessKeyId));
  writeFileSync(
    credentials,
    JSON.stringify({
      accessKeys: { [CALLER.accessKeyId]: CALLER.secretAccessKey },
      mqttUsers: { [LOGIN.username]: LOGIN.password },
    }),
  );
  const anyPort = { port: 0 };
  const config = loadConfig(
    undefined,
    {},
    {
      policies,
      credentials,
      broker: { password: 'of the service', connections: 1 },
      http: anyPort,
      exhook: anyPort,
      embedded: anyPort,
      telemetry: anyPort,
      // Nobody answers there.
      jwt: { issuer: 'https://issuer.example', audience: 'tightbeam', jwksUrl: 'http://127.0.0.1:1/' },
      limits: {
        pendingConfirmations: MOST_PENDING,
        rates: { perReceiver: { perSecond: 0.1, burst: RECEIVER_BURST } },
      },
    },
  );
  const app = await startService(config, { broker: 'embedded', logDestination: captureLog() });
  const port = app.ports.mqtt ?? 0;
  const clients: { end: () => void }[] = [];

  return {
    port: app.ports.http,
    credentials: CALLER,
    metricsPort: app.ports.metrics,
    broker: {
      async connect(clientId: string, options: IClientOptions = {}): Promise<MqttClient> {
        const login = { clientId, ...LOGIN, protocolVersion: 5, reconnectPeriod: 0 } as const;
        const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { ...login, ...options });
        client.on('error', () => undefined);
        clients.push({ end: () => client.end(true) });
        return client;
      },
      async raw(clientId: string): Promise<RawClient> {
        const client = new RawClient(port, 5);
        clients.push({ end: () => client.socket.destroy() });
        const password = Buffer.from(LOGIN.password);
        const packet = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clean: true, keepalive: 0 } as const;
        client.send({ ...packet, clientId, ...LOGIN, password });
        await client.next('connack');
        return client;
      },
      get pendingMessages() {
        return app.broker.load?.pendingMessages ?? 0;
      },
    },
    /** Reads a policy set that is refused, and then one that is not. */
    async reload(): Promise<void> {
      const broken = join(policies, 'broken.json');
      writeFileSync(broken, '{');
      await app.reload();
      rmSync(broken);
      await app.reload();
    },
    async stop(): Promise<void> {
      for (const client of clients) client.end();
      await app.stop();
      rmSync(folder, { recursive: true });
    },
  };
}

export type App = Awaited<ReturnType<typeof startApp>>;
