import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { IoTDataPlaneClient, SendDirectMessageCommand } from '@aws-sdk/client-iot-data-plane';
import { type IClientOptions, connectAsync, type MqttClient } from 'mqtt';
import { type Service, startService } from '../../../src/app.js';
import { EmqxApi } from '../../../src/brokers/emqx/api.js';
import { EmqxRest } from '../../../src/brokers/emqx/rest.js';
import type { ExHookTls } from '../../../src/brokers/emqx/install/exhook-tls.js';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import { loadConfig } from '../../../src/config/load.js';
import type { Config } from '../../../src/config/schema.js';
import { VERSION } from '../../../src/version.js';
import { CREDENTIALS as CALLER } from '../../http/support.js';
import { captureLog, type Line } from '../../telemetry/capture.js';
import { withEnvironment } from '../../telemetry/environment.js';
import { OtlpReceiver } from '../../telemetry/otlp-receiver.js';
import type { Emqx } from './targets.js';

const ARN = 'arn:aws:iot:us-east-1:000000000000';
export const SERVICE = { username: 'tightbeam', password: 'of-the-service' };

const allow = (Action: string | string[], Resource: string, Condition?: object) => ({
  Effect: 'Allow',
  Action,
  Resource,
  ...(Condition && { Condition }),
});

const deny = (...of: Parameters<typeof allow>) => ({ ...allow(...of), Effect: 'Deny' });

/**
 * Who may what in the suite: `backend` sends everywhere but on `forbidden/*`, devices receive
 * all but `secret/*` and publish all but `unsaid/*`. What the
 * client IDs of `fact` begin with says of what the policies make a difference by.
 */
const POLICIES: Record<string, object> = {
  'backend.json': {
    Version: '2012-10-17',
    Statement: [
      allow('iot:Connect', `${ARN}:client/*`),
      allow('iot:Publish', `${ARN}:topic/*`),
      allow('iot:Subscribe', `${ARN}:topicfilter/*`),
      allow('iot:Receive', `${ARN}:topic/*`),
      allow('iot:SendDirectMessage', `${ARN}:client/*`),
      { ...allow('iot:SendDirectMessage', '*', { StringLike: { 'iot:Topic': 'forbidden/*' } }), Effect: 'Deny' },
    ],
  },
  'device.json': {
    Version: '2012-10-17',
    Statement: [
      allow('iot:Connect', `${ARN}:client/*`),
      allow('iot:Publish', `${ARN}:topic/*`),
      allow('iot:Subscribe', `${ARN}:topicfilter/*`),
      allow('iot:Receive', `${ARN}:topic/*`),
      { ...allow('iot:Receive', `${ARN}:topic/secret/*`), Effect: 'Deny' },
      { ...allow('iot:Publish', `${ARN}:topic/unsaid/*`), Effect: 'Deny' },
    ],
  },
  'fact.json': {
    Version: '2012-10-17',
    Statement: [
      allow('iot:Connect', `${ARN}:client/*`),
      allow(['iot:Publish', 'iot:Receive'], `${ARN}:topic/*`),
      allow('iot:Subscribe', `${ARN}:topicfilter/*`),
      allow('iot:RetainPublish', `${ARN}:topic/kept/*`),
      deny('iot:Connect', `${ARN}:client/brief-*`, {
        'ForAnyValue:StringEquals': { 'iot:ConnectAttributes': 'PersistentConnect' },
      }),
      deny('iot:Connect', `${ARN}:client/willless-*`, {
        'ForAnyValue:StringEquals': { 'iot:ConnectAttributes': 'LastWill' },
      }),
      deny('iot:Connect', `${ARN}:client/secure-*`, { Bool: { 'aws:SecureTransport': 'false' } }),
      deny('iot:Publish', `${ARN}:topic/secure/*`, { Bool: { 'aws:SecureTransport': 'false' } }),
      deny('iot:Connect', `${ARN}:client/issued-*`, {
        StringNotEquals: { 'iot:Certificate.Issuer.CommonName': 'ours' },
      }),
      deny('iot:Connect', `${ARN}:client/named-*`, { StringNotEquals: { 'iot:DomainName': 'localhost' } }),
    ],
  },
  'principals.json': {
    principals: {
      backend: {
        match: [{ username: 'backend' }, { accessKeyId: CALLER.accessKeyId }],
        policies: ['backend'],
      },
      device: { match: { username: 'device' }, policies: ['device'] },
      fact: { match: [{ username: 'fact' }, { commonName: 'fact' }], policies: ['fact'] },
    },
  },
};
const CREDENTIALS = {
  accessKeys: { [CALLER.accessKeyId]: CALLER.secretAccessKey },
  mqttUsers: { backend: 'backend', device: 'device', fact: 'fact' },
};

/** A real EMQX, the real service beside it, and what a test needs to talk to both. */
export interface Bench {
  readonly emqx: Emqx;
  readonly api: EmqxApi;
  service: Service;
  readonly config: Config;
  /** Log lines of the service, parsed. */
  readonly log: readonly Line[];
  /** The first log line, written or to come, that matches. */
  nextLine(matches: (line: Line) => boolean): Promise<Line>;
  /** Has what the service exports by OTLP. */
  readonly receiver: OtlpReceiver;
  readonly exHookUrl: string;
  /** A call of EMQX's management API that Tightbeam itself has no use for. */
  rest(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  /** SendDirectMessage by the AWS SDK. */
  send(clientId: string, options?: SendOptions): Promise<SendResult>;
  /** Connects as a device, or as `username` says; ends with the bench. To the first node, unless `url` is another's. */
  connect(clientId: string, options?: IClientOptions, url?: string): Promise<MqttClient>;
  /** Has the running service read these modes from its configuration. */
  switchModes(modes: Partial<Config['authorization']>): Promise<void>;
  /** Starts the service again, on the ports it had. */
  startService(): Promise<void>;
  install(): Promise<readonly string[]>;
  uninstall(): Promise<void>;
  close(): Promise<void>;
}

export interface BenchOptions {
  /** What the service logs beyond the default. */
  readonly log?: Partial<Config['log']>;
  readonly topicGroups?: Config['telemetry']['topicGroups'];
  readonly lifecycleEvents?: boolean;
  /** Has EMQX call the service over TLS: settings of the service, and what EMQX is installed with. */
  readonly exHookTls?: { readonly service: Config['exhook']['tls']; readonly emqx: ExHookTls };
}

export interface SendOptions {
  readonly topic?: string;
  readonly payload?: string | Uint8Array;
  readonly confirmation?: boolean;
  /** Seconds. */
  readonly timeout?: number;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: string;
  readonly userProperties?: string;
}

export interface SendResult {
  readonly status: number;
  /** Name of the exception, as the SDK threw it. */
  readonly exception?: string;
}

export async function openBench(
  emqx: Emqx,
  { exHookTls, log: logged = {}, topicGroups = {}, lifecycleEvents = false }: BenchOptions = {},
): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'tightbeam-emqx-'));
  for (const [name, content] of Object.entries(POLICIES)) writeFileSync(join(folder, name), JSON.stringify(content));
  // Beside the policies, not among them.
  const secrets = mkdtempSync(join(tmpdir(), 'tightbeam-emqx-'));
  writeFileSync(join(secrets, 'credentials.json'), JSON.stringify(CREDENTIALS));

  const host = emqx.exHookHost === '127.0.0.1' ? '127.0.0.1' : '0.0.0.0';
  const settings = (exhook: number, http: number) =>
    loadConfig(
      undefined,
      {},
      {
        http: { port: http },
        exhook: {
          host,
          port: exhook,
          unverifiedCallers: 'trusted-network',
          ...(exHookTls && { tls: exHookTls.service }),
        },
        telemetry: { port: 0, topicGroups },
        log: logged,
        broker: {
          ...SERVICE,
          urls: [emqx.mqttUrl, ...(emqx.peer ? [emqx.peer.mqttUrl] : [])],
          connections: 2,
          lifecycleEvents,
        },
        policies: folder,
        credentials: join(secrets, 'credentials.json'),
      },
    );

  const log = captureLog();
  const receiver = new OtlpReceiver();
  const environment = {
    OTEL_EXPORTER_OTLP_ENDPOINT: await receiver.start(),
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '20',
  };
  let modes: Partial<Config['authorization']> = {};
  const readConfig = () => ({ ...config, authorization: { ...config.authorization, ...modes } });
  const start = (config: Config) =>
    withEnvironment(environment, () => startService(config, { broker: 'emqx', logDestination: log, readConfig }));
  const service = await start(settings(0, 0));
  // The ports that it got are its ports from now on: EMQX knows them.
  const config = settings(service.ports.exhook ?? 0, service.ports.http);
  const { apiUrl, apiKey, apiSecret } = emqx;
  const clients: MqttClient[] = [];
  const sdk = new IoTDataPlaneClient({
    endpoint: `http://127.0.0.1:${service.ports.http}`,
    region: 'us-east-1',
    credentials: CALLER,
    maxAttempts: 1,
  });

  const bench: Bench = {
    emqx,
    api: new EmqxApi(new EmqxRest({ url: apiUrl, key: apiKey, secret: apiSecret })),
    service,
    config,
    log: log.lines,
    nextLine: (matches) => log.next(matches),
    receiver,
    exHookUrl: `http${exHookTls ? 's' : ''}://${emqx.exHookHost}:${service.ports.exhook ?? 0}`,
    rest: async (method, path, body) => {
      const response = await fetch(`${apiUrl}/api/v5${path}`, {
        method,
        headers: {
          authorization: `Basic ${Buffer.from(`${apiKey}:${apiSecret}`).toString('base64')}`,
          'content-type': 'application/json',
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
      return text === '' ? {} : (JSON.parse(text) as Record<string, unknown>);
    },
    send: (clientId, options = {}) => send(sdk, clientId, options),
    connect: async (clientId, options = {}, url = emqx.mqttUrl) => {
      const client = await connect(url, { clientId, ...options });
      clients.push(client);
      return client;
    },
    switchModes: async (authorization) => {
      modes = authorization;
      await bench.service.reload();
    },
    startService: async () => {
      bench.service = await start(config);
    },
    install: async () => {
      const plan = planInstall(await readState(bench.api), {
        username: SERVICE.username,
        exclusive: true,
        exHookUrl: bench.exHookUrl,
        ...(exHookTls && { exHookTls: exHookTls.emqx }),
        plugin: { version: VERSION, upgrade: false },
      });
      return (await carryOut(bench.api, plan)).left;
    },
    uninstall: async () => {
      await carryOut(bench.api, planUninstall(await readState(bench.api)));
    },
    close: async () => {
      await Promise.all(clients.map((client) => client.endAsync(true)));
      sdk.destroy();
      try {
        await bench.uninstall();
      } finally {
        await bench.service.stop();
        await receiver.stop();
        rmSync(folder, { recursive: true });
        rmSync(secrets, { recursive: true });
      }
    },
  };
  try {
    await emqx.placePlugin();
    const left = await bench.install();
    if (left.length > 0) throw new Error(`the installation left something to do: ${left.join(' ')}`);
    await ready(bench);
  } catch (error) {
    // What closing fails with follows from what installing failed with, which is what shall be told.
    await bench.close().catch(() => undefined);
    throw error;
  }
  return bench;
}

async function connect(url: string, options: IClientOptions): Promise<MqttClient> {
  try {
    const client = await connectAsync(url, {
      protocolVersion: 5,
      username: 'device',
      password: 'device',
      reconnectPeriod: 0,
      ...options,
    });
    client.on('error', () => undefined);
    return client;
  } catch (error) {
    // EMQX's answer to a client ID that left a moment ago and is still being unregistered.
    if (!(error as Error).message.includes('Server busy')) throw error;
    return connect(url, options);
  }
}

async function send(sdk: IoTDataPlaneClient, clientId: string, options: SendOptions): Promise<SendResult> {
  const { topic = 'cmd/test', payload = 'hello', confirmation = true, timeout, ...properties } = options;
  try {
    const { $metadata } = await sdk.send(
      new SendDirectMessageCommand({
        clientId,
        topic,
        payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
        confirmation,
        timeout,
        ...properties,
      }),
    );
    return { status: $metadata.httpStatusCode ?? 0 };
  } catch (error) {
    const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
    return { status: $metadata?.httpStatusCode ?? 0, exception: name };
  }
}

/** Until the service can deliver, as /readyz says. */
export async function ready(bench: Bench, withinMs = 120_000): Promise<void> {
  await until(() => bench.service.broker.ready, withinMs);
}

/** Polls, for what has no event. The time ends a test that hangs; nothing is timed by it. */
export async function until(condition: () => boolean | Promise<boolean>, withinMs = 60_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${condition.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
