import { afterEach } from '@jest/globals';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { startService, type Service } from '../../src/app.js';
import { DEV_DEFAULTS } from '../../src/cli/serve.js';
import { loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { captureLog, type CapturedLog } from '../telemetry/capture.js';

/** What ends with the test that began it. */
export const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

export interface Running {
  readonly service: Service;
  readonly log: CapturedLog;
  /** Whether the broker tells of a publish that it is to be retained. */
  readonly retainIsTold: boolean;
  /** The modes that the configuration has from now on. */
  set(authorization: object): void;
  connect(username: string, options?: IClientOptions): Promise<MqttClient>;
}

/** The service with a broker, on free ports, and clients that are gone with it. */
export async function run(
  broker: 'embedded' | 'door',
  authorization: object,
  { address, more = {} }: { readonly address?: string; readonly more?: object } = {},
): Promise<Running> {
  const read = (modes: object): Config =>
    loadConfig(
      undefined,
      {},
      {
        ...DEV_DEFAULTS,
        broker: { ...DEV_DEFAULTS.broker, ...(address && { kind: 'door', urls: [`unix:${address}`] }) },
        embedded: { port: 0 },
        door: { port: 0 },
        http: { port: 0 },
        exhook: { port: 0 },
        telemetry: { port: 0 },
        authorization: modes,
        ...more,
      },
    );
  let next = () => read(authorization);
  const log = captureLog();
  const service = await startService(next(), { broker, logDestination: log, readConfig: () => next() });
  ends.push(() => service.stop());
  if (broker === 'door')
    await log.next((line) => line['eventType'] === 'BrokerConnection' && line['status'] === 'Success');
  return {
    service,
    log,
    retainIsTold: broker === 'door',
    set: (modes) => {
      next = () => read(modes);
    },
    async connect(username, options = {}) {
      const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${service.ports.mqtt ?? 0}`, {
        clientId: username,
        username,
        password: username,
        protocolVersion: 5,
        reconnectPeriod: 0,
        ...options,
      });
      client.on('error', () => undefined);
      ends.push(() => client.endAsync(true));
      return client;
    },
  };
}
