import { DirectLink } from '../../../src/brokers/link/direct-link.js';
import { writtenBy } from '../../../src/brokers/link/puback.js';
import { DEFAULT_LIMITS } from '../../../src/direct/limits.js';
import { ReceiverRefusals } from '../../../src/clients/refusals.js';
import { DirectMessaging } from '../../../src/direct/send.js';
import { optionalHooks } from '../../../src/exhook/hooks.js';
import { DataPlane } from '../../../src/http/data-plane.js';
import { requestAnswer } from '../../../src/http/operations/request-answer.js';
import { sendDirectMessage } from '../../../src/http/operations/send-direct-message.js';
import { JwtAuthenticator } from '../../../src/identity/jwt.js';
import { SigV4Authenticator } from '../../../src/identity/sigv4/authenticator.js';
import { PolicyAuthorizer } from '../../../src/policy/deciding/engine.js';
import { buildPolicySet } from '../../../src/policy/policy-set.js';
import type { Reason } from '../../../src/reasons.js';
import { createTelemetry, type Telemetry } from '../../../src/telemetry/telemetry.js';
import { startBroker } from '../../brokers/embedded/harness.js';
import { CREDENTIALS, REGION } from '../../http/support.js';
import { captureLog } from '../capture.js';
import { withEnvironment } from '../environment.js';
import { OtlpReceiver } from '../otlp-receiver.js';

/** Everybody may do everything, but for `nobody-*` (nothing at all) and the topics `forbidden/#` and `unheard/#`. */
export const POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    { Sid: 'Everything', Effect: 'Allow', Action: '*', Resource: '*' },
    {
      Sid: 'NotThose',
      Effect: 'Deny',
      Action: ['iot:Publish', 'iot:Subscribe', 'iot:Receive'],
      Resource: [
        'arn:aws:iot:us-east-1:000000000000:topic/forbidden/*',
        'arn:aws:iot:us-east-1:000000000000:topicfilter/forbidden/*',
        'arn:aws:iot:us-east-1:000000000000:topic/unheard/*',
      ],
    },
    {
      Sid: 'NotToVaults',
      Effect: 'Deny',
      Action: 'iot:SendDirectMessage',
      Resource: 'arn:aws:iot:us-east-1:000000000000:client/vault-*',
    },
    {
      Sid: 'NotThem',
      Effect: 'Deny',
      Action: 'iot:Connect',
      Resource: 'arn:aws:iot:us-east-1:000000000000:client/nobody-*',
    },
  ],
});
/** The caller with this access key, and every MQTT client. */
export function principalsOf(accessKeyId: string): string {
  return JSON.stringify({
    principals: {
      backend: { match: { accessKeyId }, policies: ['all'] },
      device: { match: { username: '*' }, policies: ['all'] },
    },
  });
}

/** Takes tokens, of an issuer whose keys cannot be had. */
const unreachableIssuer = new JwtAuthenticator({
  issuer: 'https://issuer.example',
  audience: 'tightbeam',
  algorithms: ['ES256'],
  keys: () => Promise.reject(new Error('The issuer does not answer.')),
  now: Date.now,
});

/** The service with the embedded broker, real but for who may log in; it exports to a receiver of OTLP in the test. */
export async function startService() {
  const receiver = new OtlpReceiver();
  const log = captureLog();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: await receiver.start(),
    OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
    OTEL_BSP_SCHEDULE_DELAY: '20',
  };
  const telemetry: Telemetry = await withEnvironment(env, () =>
    createTelemetry({ version: '0', log: { accountId: '000000000000', destination: log } }),
  );
  const metricsPort = await telemetry.listen({ host: '127.0.0.1', port: 0 });
  const { events, tracing } = telemetry;

  const scope = { partition: 'aws', region: REGION, accountId: '000000000000' } as const;
  const set = buildPolicySet(
    { policies: new Map([['all.json', POLICY]]), principals: principalsOf(CREDENTIALS.accessKeyId) },
    scope,
  );
  events.tell('PolicyReload', { outcome: 'loaded', version: set.version });
  const authorizer = telemetry.authorizer(new PolicyAuthorizer(() => set, { clock: Date.now }));

  const hooks = optionalHooks({ publishIn: ['logged/#'], publishOut: ['logged/#'], unsubscribe: true });
  const refusals = new ReceiverRefusals(events);
  const broker = await startBroker({
    provider: { authorizer, events, tracing, hooks, refusals },
    broker: { receiver: { window: 1, queue: 1 } },
  });
  const link = new DirectLink({
    urls: [`mqtt://127.0.0.1:${broker.port}`],
    username: 'tightbeam',
    connections: 1,
    maxConnections: 1,
    onConnection: ({ state, url, clientId, details }) => {
      events.tell('BrokerConnection', { state, broker: url, clientId, details });
    },
  });
  await link.whenReady();

  /** Set, the broker is not asked: this is what became of the message. */
  const pretend: { reason?: Reason } = {};
  const delivery = telemetry.delivery({
    connected: (wait) => link.connected(wait),
    deliver: (message) =>
      pretend.reason
        ? Promise.resolve({ reason: pretend.reason, written: writtenBy(pretend.reason) })
        : link.deliver(message),
  });
  const messaging = new DirectMessaging({
    authorizer,
    delivery,
    events,
    refusals,
    limits: DEFAULT_LIMITS,
    clock: () => performance.now(),
    propagateTrace: true,
  });
  const accessKeys = {
    secretsOf: (id: string) => (id === CREDENTIALS.accessKeyId ? [CREDENTIALS.secretAccessKey] : []),
  };
  const dataPlane = new DataPlane({
    operations: [sendDirectMessage(messaging), requestAnswer(messaging)],
    authenticators: [new SigV4Authenticator({ accessKeys, region: REGION, now: () => Date.now() }), unreachableIssuer],
    events,
    tracing,
    payloadBytes: DEFAULT_LIMITS.payloadBytes,
  });
  const port = await dataPlane.start({ host: '127.0.0.1', port: 0 });

  return {
    port,
    credentials: CREDENTIALS,
    metricsPort,
    broker: {
      ...broker,
      get pendingMessages() {
        return broker.broker.load.pendingMessages;
      },
    },
    telemetry,
    log,
    receiver,
    pretend,
    dataPlane,
    async stop() {
      await dataPlane.stop();
      await link.close();
      await broker.stop();
      await telemetry.close();
      await receiver.stop();
    },
  };
}

export type Service = Awaited<ReturnType<typeof startService>>;
