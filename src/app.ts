import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { brokerAddress } from './brokers/door/broker-address.js';
import { Door } from './brokers/door/door.js';
import { Gate } from './brokers/door/gate.js';
import { DoorOperations } from './brokers/door/operations.js';
import { DirectLink } from './brokers/link/direct-link.js';
import { EmqxOperations } from './brokers/emqx/operations.js';
import { EmqxRest } from './brokers/emqx/rest.js';
import { WITHOUT_API } from './brokers/emqx/without-api.js';
import { MqttPublisher } from './brokers/link/publisher.js';
import type { EmbeddedBroker } from './brokers/embedded/broker.js';
import { loadEmbeddedBroker } from './brokers/embedded/load.js';
import { ConfigError } from './config/load.js';
import type { Config } from './config/schema.js';
import type { Limits } from './direct/limits.js';
import { DirectMessaging } from './direct/send.js';
import { optionalHooks } from './exhook/hooks.js';
import { authorityOf, createHookProvider, type HookProvider } from './exhook/provider.js';
import { createOperations } from './http/operations.js';
import { startDataPlanes } from './http/start.js';
import { CredentialStore } from './identity/credential-store.js';
import { GuessLimit } from './identity/guess-limit.js';
import { MqttAuthenticator } from './identity/mqtt-authenticator.js';
import type { BrokerOperations } from './operations/broker.js';
import { DataPlaneOperations } from './operations/data-plane-operations.js';
import { PolicyAuthorizer } from './policy/engine.js';
import { PolicyStore } from './policy/policy-store.js';
import { formatProblem } from './policy/problems.js';
import type { LogDestination } from './telemetry/log/destination.js';
import { RateLimiter } from './throttling/rate-limiter.js';
import { createTelemetry, type Telemetry } from './telemetry/telemetry.js';
import { loadTls, watchTls, type TlsFiles } from './tls/files.js';
import { VERSION } from './version.js';

/** The section of the configuration, for the words of errors. */
const EXHOOK_TLS = 'exhook.tls';

export interface ServiceOptions {
  /** Whether to run the embedded broker beside the service, in place of connecting to `config.broker.urls`. */
  readonly embeddedBroker: boolean;
  /** Where the log goes. Default: standard output. */
  readonly logDestination?: LogDestination;
}

export interface Ports {
  readonly http: number;
  /** With TLS; absent where that is not configured. */
  readonly https?: number;
  readonly exhook: number;
  readonly metrics: number;
  /** Of the embedded broker, or of the door; absent beside EMQX. */
  readonly mqtt?: number;
}

/** A running Tightbeam. */
export interface Service {
  readonly ports: Ports;
  /** Reads policies and credentials again, as on SIGHUP. */
  reload(): Promise<void>;
  /** Takes no new requests, lets confirmations in flight finish or time out, and ends. Never rejects. */
  stop(): Promise<void>;
  /** What the embedded broker, or the door, holds; nothing beside EMQX. */
  readonly broker: Pick<EmbeddedBroker, 'load'> | undefined;
  readonly link: Pick<DirectLink, 'inFlight' | 'ready'>;
}

/**
 * The composition root: starts every part in the order of its dependencies, and stops them in the reverse.
 *
 * @throws where a part cannot start (policies or credentials that are not valid, a port that is taken); what had
 * started is stopped again.
 */
export async function startService(config: Config, options: ServiceOptions): Promise<Service> {
  const stops: (() => unknown)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of stops.splice(0).reverse()) await end();
  };
  try {
    if (options.embeddedBroker && config.exhook.tls !== undefined) {
      throw new ConfigError(['exhook.tls: the embedded broker calls the hook provider in clear text, leave it out']);
    }
    return await start(config, options, stops, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: Config,
  options: ServiceOptions,
  stops: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<Service> {
  const telemetry = await startTelemetry(config, options);
  const { events, diagnostics, tracing } = telemetry;
  stops.push(() => telemetry.close());
  const metrics = await telemetry.listen(config.telemetry);

  const policies = await openPolicies(config, telemetry);
  const credentials = CredentialStore.open(config.credentials, (error) => {
    events.fault('The credentials could not be reloaded; the ones before stay in force.', error);
  });
  for (const store of [policies, credentials]) {
    store.watch();
    stops.push(() => {
      store.close();
    });
  }

  const { broker: brokerConfig, authorization } = config;
  const authorizer = telemetry.authorizer(new PolicyAuthorizer(policies.current, authorization));
  const service = {
    username: brokerConfig.username,
    ...(brokerConfig.password === undefined ? {} : { password: brokerConfig.password }),
  };
  const { host: exhookHost, port: exhookPort, tls: exhookTls } = config.exhook;
  const authenticator = new GuessLimit({
    authenticator: new MqttAuthenticator({
      credentials: credentials.current,
      admitsAnonymous: (identity) => policies.current().resolve(identity) !== undefined,
      service,
    }),
    serviceUsername: service.username,
    clock: () => performance.now(),
  });
  const provider = createHookProvider({
    authenticator,
    authorizer,
    events,
    diagnostics,
    tracing,
    serviceUsername: service.username,
    hooks: optionalHooks(config.log),
    ...(exhookTls && { tls: loadTls(exhookTls, EXHOOK_TLS) }),
  });
  const exhook = await provider.start(exhookHost, exhookPort);
  stops.push(() => provider.stop());
  if (exhookTls !== undefined) stops.push(watchExHookTls(exhookTls, provider, telemetry));

  const limits = limitsOf(config);
  const clock = () => performance.now();
  const receiverRate = config.limits.rates.perReceiver;
  const perReceiver = receiverRate && new RateLimiter(receiverRate, clock);
  const broker = options.embeddedBroker
    ? (await loadEmbeddedBroker()).createEmbeddedBroker({
        exhookAddress: `127.0.0.1:${exhook}`,
        ...config.embedded,
        serviceUsername: service.username,
        diagnostics,
        version: VERSION,
        limits,
        perReceiver,
      })
    : undefined;
  const embedded = await broker?.start();
  if (broker) stops.push(() => broker.close());

  const { connections, maxConnections, api } = brokerConfig;
  const tls = readTls(brokerConfig.tls);
  const door =
    brokerConfig.kind === 'door' && !options.embeddedBroker
      ? new Door({
          broker: brokerAddress(brokerConfig.urls[0] as string, tls),
          gate: new Gate({
            authenticatedBy: config.door.authenticatedBy,
            authenticator,
            authorizer,
            events,
            tracing,
            diagnostics,
            serviceUsername: service.username,
          }),
          diagnostics,
          limits,
          perReceiver,
          connectTimeoutMs: config.door.connectTimeoutMs,
          packetBytes: config.door.packetBytes,
        })
      : undefined;
  if (door) stops.push(() => door.close());
  const mqtt = embedded ?? (await door?.listen(config.door.host, config.door.port));
  // The service has a way in of its own, whatever the devices' is.
  const inside = embedded ?? (await door?.listen('127.0.0.1', 0, true));
  const urls = inside === undefined ? brokerConfig.urls : [`mqtt://127.0.0.1:${inside}`];
  const link = new DirectLink({
    ...service,
    urls,
    tls,
    connections,
    maxConnections,
    onConnection: ({ url, ...event }) => {
      events.tell('BrokerConnection', { broker: url, ...event });
    },
  });
  stops.push(() => link.close());
  if (broker) await link.whenReady();

  const common = { authorizer, events, limits, clock };
  const messaging = new DirectMessaging({
    ...common,
    delivery: telemetry.delivery(link),
    propagateTrace: config.telemetry.propagateToDevices,
    maxPending: config.limits.pendingConfirmations,
    perReceiver,
  });

  const publisher = new MqttPublisher({ ...service, urls, tls });
  stops.push(() => publisher.close());
  if (broker) await publisher.whenReady();
  const operations = broker?.operations ?? (door && new DoorOperations(door)) ?? operationsOf(api);
  const others = new DataPlaneOperations({ ...common, broker: operations, publisher });

  const dataPlanes = await startDataPlanes(config, {
    operations: createOperations(messaging, others),
    accessKeys: { secretsOf: (id, token) => credentials.current().secretsOf(id, token) },
    telemetry,
    ready: () => link.ready,
  });
  stops.push(() => dataPlanes.stop());
  const { http, https } = dataPlanes;

  const ports: Ports = {
    http,
    exhook,
    metrics,
    ...(https === undefined ? {} : { https }),
    ...(mqtt === undefined ? {} : { mqtt }),
  };
  stops.push(() => {
    events.lifecycle('draining');
  });
  const scheme = exhookTls === undefined ? 'http' : 'https';
  const exhookUrl = `${scheme}://${authorityOf(exhookHost, exhook)}`;
  events.lifecycle('ready', { ports: { ...ports }, exhookUrl });
  return {
    ports,
    broker: broker ?? door,
    link,
    stop,
    reload: async () => {
      credentials.reload();
      await policies.reload();
    },
  };
}

/** Renewed certificates count without a restart. Answers what ends it. */
function watchExHookTls(files: TlsFiles, provider: HookProvider, { events, diagnostics }: Telemetry): () => void {
  const watch = watchTls(files, EXHOOK_TLS, {
    changed: (material) => {
      provider.replaceTls(material);
      diagnostics('info', 'The TLS files of the hook provider were reloaded.');
    },
    failed: (error) => {
      events.fault('The TLS files of the hook provider could not be reloaded; the ones before stay in force.', error);
    },
  });
  return () => {
    watch.close();
  };
}

function startTelemetry(config: Config, { logDestination }: ServiceOptions): Promise<Telemetry> {
  const { level, eventLevels, successRatio } = config.log;
  return createTelemetry({
    version: VERSION,
    log: {
      accountId: config.aws.accountId,
      level,
      eventLevels,
      successRatio,
      ...(logDestination && { destination: logDestination }),
    },
    metrics: config.telemetry.metrics,
    ...(config.telemetry.tailToken === undefined ? {} : { tailToken: config.telemetry.tailToken }),
  });
}

async function openPolicies(config: Config, { events, diagnostics }: Telemetry): Promise<PolicyStore> {
  const store = await PolicyStore.open(config.policies, config.aws, {
    onReload: ({ status, version, errors, warnings }) => {
      const details = [...errors, ...warnings].join('\n');
      events.tell('PolicyReload', {
        outcome: status === 'Success' ? 'loaded' : 'refused',
        version,
        ...(details === '' ? {} : { details }),
      });
    },
  });
  const { version, problems } = store.current();
  for (const problem of problems) diagnostics('warn', formatProblem(problem));
  events.tell('PolicyReload', { outcome: 'loaded', version });
  return store;
}

/** Beside EMQX, what is asked of the broker goes to its management API. */
function operationsOf(api: Config['broker']['api']): BrokerOperations {
  return api === undefined ? WITHOUT_API : new EmqxOperations(new EmqxRest(api));
}

function limitsOf({ limits }: Config): Limits {
  const { payloadBytes, clientIdCharacters, topicBytes, topicSlashes, timeoutSeconds, defaultTimeoutSeconds } = limits;
  const sizes = { payloadBytes, clientIdCharacters, topicBytes, topicSlashes };
  return { ...sizes, maxTimeoutMs: timeoutSeconds * 1_000, defaultTimeoutMs: defaultTimeoutSeconds * 1_000 };
}

function readTls({ ca, cert, key }: Config['broker']['tls']): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}
