import { performance } from 'node:perf_hooks';
import type { Broker, BrokerPorts } from './brokers/broker.js';
import { BROKERS, type BrokerName } from './brokers/brokers.js';
import { hasShadow } from './clients/modes.js';
import { ReceiverRefusals } from './clients/refusals.js';
import { limitsOf } from './config/limits.js';
import type { Config } from './config/schema.js';
import { DirectMessaging } from './direct/send.js';
import { startHooks } from './exhook/start.js';
import { startConsole } from './console/start.js';
import { openAuthenticators } from './http/authenticators.js';
import { createOperations } from './http/operations.js';
import { dataPlaneOptions, startDataPlanes } from './http/start.js';
import type { AccessKeys } from './identity/access-keys.js';
import { CredentialStore } from './identity/credential-store.js';
import { GuessLimit } from './identity/guess-limit.js';
import type { Identity } from './identity/identity.js';
import { MqttAuthenticator } from './identity/mqtt-authenticator.js';
import { DataPlaneOperations } from './operations/data-plane-operations.js';
import { Devices } from './operations/devices.js';
import { PolicyQuestions } from './operations/policy-questions.js';
import { Viewing } from './operations/viewing.js';
import { PolicyAuthorizer } from './policy/deciding/engine.js';
import type { PolicySet } from './policy/policy-set.js';
import { PolicyStore } from './policy/policy-store.js';
import { PolicyUsage } from './policy/usage.js';
import { formatProblem, tellProblems } from './policy/reading/problems.js';
import { startModes, switchSettings } from './switching.js';
import type { LogDestination } from './telemetry/log/destination.js';
import { createTelemetry, type Telemetry } from './telemetry/telemetry.js';
import { RateLimiter } from './throttling/rate-limiter.js';
import { certificatesOf } from './tls/expiry.js';
import { VERSION } from './version.js';

export interface ServiceOptions {
  /** The broker that the service is to work with. `embedded` runs in this process. */
  readonly broker: BrokerName;
  /** Where the log goes. Default: standard output. */
  readonly logDestination?: LogDestination;
  /** Reads the configuration again, for `reload`; without it, none of it changes. */
  readonly readConfig?: () => Config;
  /** Access key as which who follows a local link to the console is signed in; without it there are no such links. */
  readonly consoleLinkFor?: string;
}

export interface Ports extends Partial<BrokerPorts> {
  readonly http: number;
  /** With TLS; absent where that is not configured. */
  readonly https?: number;
  /** Absent where there is no console. */
  readonly console?: number;
  /** Absent where the door decides in this process. */
  readonly exhook?: number;
  readonly metrics: number;
}

/** A running Tightbeam. */
export interface Service {
  readonly ports: Ports;
  readonly broker: Pick<Broker, 'ready' | 'inFlight' | 'load'>;
  /** Reads policies, credentials and of the configuration the modes and what is logged again, as on SIGHUP. */
  reload(): Promise<void>;
  /** Takes no new requests, lets confirmations in flight finish or time out, and ends. Never rejects. */
  stop(): Promise<void>;
  /** A link that signs in to the console, once, within a minute, on this machine; undefined where there are none. */
  consoleLink(): string | undefined;
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
    return { ...(await start(config, options, stops)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(
  config: Config,
  options: ServiceOptions,
  stops: (() => unknown)[],
): Promise<Omit<Service, 'stop'>> {
  const usage = new PolicyUsage(Date.now);
  const telemetry = await startTelemetry(config, options, usage);
  const { events, diagnostics, tracing } = telemetry;
  stops.push(() => telemetry.close());
  const metrics = await telemetry.listen(config.telemetry);

  const policies = await openPolicies(config, telemetry);
  usage.follow(policies.current());
  const credentials = CredentialStore.open(config.credentials, (error) => {
    events.fault('The credentials could not be reloaded; the ones before stay in force.', error);
  });
  for (const store of [policies, credentials]) {
    store.watch();
    stops.push(() => {
      store.close();
    });
  }

  const authorizer = telemetry.authorizer(
    usage.counting(new PolicyAuthorizer(policies.current, config.authorization), policies.current),
  );
  const enforcement = startModes(config, events);
  const refusals = new ReceiverRefusals(events);
  stops.push(() => {
    refusals.close();
  });
  const deciding = {
    authorizer,
    enforcement,
    refusals,
    principalOf: (identity: Identity) => policies.current().resolve(identity)?.principal.name,
  };
  const { username, password } = config.broker;
  const service = { username, ...(password !== undefined && { password }) };
  const authenticator = new GuessLimit({
    authenticator: new MqttAuthenticator({
      credentials: credentials.current,
      admitsAnonymous: (identity) => policies.current().resolve(identity) !== undefined,
      service,
    }),
    serviceUsername: username,
    clock: () => performance.now(),
  });
  // The door asks in this process.
  const hooks =
    options.broker === 'door' ? undefined : await startHooks(config, { authenticator, ...deciding }, telemetry);
  stops.push(() => hooks?.stop());

  let tellReady = (): void => undefined;
  const limits = limitsOf(config);
  const clock = () => performance.now();
  const receiverRate = config.limits.rates.perReceiver;
  const perReceiver = receiverRate && new RateLimiter(receiverRate, clock);
  const broker = await BROKERS[options.broker]({
    config,
    exhookPort: hooks?.port,
    clients: { authenticator, ...deciding, events, tracing, diagnostics, serviceUsername: username },
    limits,
    perReceiver,
    diagnostics,
    onConnection: ({ url, ...event }) => {
      events.tell('BrokerConnection', { broker: url, ...event });
      setImmediate(() => {
        tellReady();
      });
    },
  });
  stops.push(() => broker.close());

  const common = { authorizer, events, limits, clock };
  const messaging = new DirectMessaging({
    ...common,
    delivery: telemetry.delivery(broker.delivery),
    refusals,
    propagateTrace: config.telemetry.propagateToDevices,
    maxPending: config.limits.pendingConfirmations,
    perReceiver,
  });
  const others = new DataPlaneOperations({ ...common, broker: broker.operations, publisher: broker.publisher });
  const questions = new PolicyQuestions({ ...common, current: policies.current, rules: config.authorization });
  const status = () => ({
    service: { version: VERSION, broker: options.broker, ready: broker.ready },
    ...telemetry.status(),
    shadow: hasShadow(enforcement.settings),
    credentials: credentials.current().sizes,
    certificates: certificatesOf(config, Date.now()),
  });
  telemetry.tellStatus(status);
  const viewing = new Viewing({ ...common, recent: telemetry.recent, status, statistics: telemetry.statistics });
  const devices = new Devices({
    ...common,
    broker: broker.operations,
    recent: telemetry.recent,
    current: policies.current,
  });
  const accessKeys: AccessKeys = { secretsOf: (id, token) => credentials.current().secretsOf(id, token) };
  const authenticators = openAuthenticators(config, accessKeys, events);
  stops.push(() => {
    authenticators.close();
  });
  const dataPlane = dataPlaneOptions(config, {
    operations: createOperations({ messaging, others, questions, viewing, devices }, common),
    authenticators,
    telemetry,
    ready: () => broker.ready,
    shadow: () => hasShadow(enforcement.settings),
    status: telemetry.status,
  });
  const dataPlanes = await startDataPlanes(config, dataPlane, events);
  stops.push(() => dataPlanes.stop());
  const page = await startConsole(config, {
    ...{ dataPlane, authenticators, accessKeys, events },
    endpoint: `http://${config.http.host}:${dataPlanes.http}`,
    linkFor: options.consoleLinkFor,
    principalOf: (identity) => policies.current().resolve(identity)?.principal.name,
  });
  stops.push(() => page?.stop());

  const ports = portsOf({ ...dataPlanes, console: page?.port, exhook: hooks?.port, metrics, broker: broker.ports });
  stops.push(() => {
    events.lifecycle('draining');
  });
  const told = { ports: { ...ports }, ...(hooks && { exhookUrl: hooks.url }) };
  // `ready` is what /readyz says; until then whoever waits for a port has this.
  if (!broker.ready) events.lifecycle('listening', told);
  tellReady = () => {
    if (!broker.ready) return;
    tellReady = () => undefined;
    events.lifecycle('ready', told);
  };
  tellReady();
  return {
    ports,
    broker,
    consoleLink: () => page?.link(),
    reload: async () => {
      if (options.readConfig) switchSettings({ modes: enforcement, telemetry, hooks }, config, options.readConfig);
      credentials.reload();
      await policies.reload();
    },
  };
}

function portsOf(
  parts: Pick<Ports, 'http' | 'https' | 'metrics'> & {
    readonly console: number | undefined;
    readonly exhook: number | undefined;
    readonly broker: BrokerPorts | undefined;
  },
): Ports {
  const { http, https, exhook, metrics, broker } = parts;
  return {
    ...{ http, metrics },
    ...(exhook !== undefined && { exhook }),
    ...(https !== undefined && { https }),
    ...(parts.console !== undefined && { console: parts.console }),
    ...broker,
  };
}

function startTelemetry(config: Config, { logDestination }: ServiceOptions, usage: PolicyUsage): Promise<Telemetry> {
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
    usage: () => usage.report(),
    ...(config.telemetry.tailToken === undefined ? {} : { tailToken: config.telemetry.tailToken }),
  });
}

async function openPolicies(config: Config, { events, diagnostics }: Telemetry): Promise<PolicyStore> {
  const store = await PolicyStore.open(config.policies, config.aws, {
    baseline: config.authorization.baseline,
    onReload: ({ status, version, errors, warnings, changes }) => {
      const details = tellProblems([...errors, ...warnings]);
      events.tell('PolicyReload', {
        outcome: status === 'Success' ? 'loaded' : 'refused',
        version,
        ...sizesOf(store.current()),
        ...(changes.length > 0 && { changes }),
        ...(details === '' ? {} : { details }),
      });
    },
  });
  const { version, problems } = store.current();
  for (const problem of problems) diagnostics('warn', formatProblem(problem));
  events.tell('PolicyReload', { outcome: 'loaded', version, ...sizesOf(store.current()) });
  return store;
}

/** Of the set in force. */
function sizesOf({ documents, principals }: PolicySet): { readonly policies: number; readonly principals: number } {
  return { policies: documents.size, principals: principals.all.length };
}
