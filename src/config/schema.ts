import { z } from 'zod';
import { JWT_ALGORITHMS } from '../identity/jwt.js';
import { isLoopback } from '../loopback.js';
import { EVENT_TYPES } from '../observing/events.js';
import { ConsoleSchema } from './console.js';
import { DoorSchema } from './door.js';
import { count, flag, httpUrl, line, port, principalPattern, rate, ratio, text, topicFilters, url } from './fields.js';

/**
 * The whole configuration: every setting, its limits and its default. Lengths of time are milliseconds, sizes bytes.
 * Unknown names are errors, so that a misspelt setting cannot be ignored. The descriptions make docs/configuration.md.
 */
export const ConfigSchema = z
  .strictObject({
    $schema: z.string().optional().describe('for editors: policies/schema/config.schema.json'),
    http: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(8080),
        requestTimeoutMs: count(100, 120_000)
          .default(10_000)
          .describe('a request whose headers and body have not arrived by then is refused'),
        sigv4: flag
          .default(true)
          .describe('whether callers may sign with SigV4, by the access keys of the credentials file'),
        tls: z
          .strictObject({
            port: port.default(8443),
            cert: text.describe('certificate of the server; read again when it changes'),
            key: text.describe('its private key'),
            clientCa: text.describe('authorities whose client certificates are accepted'),
            clientCrl: text.optional().describe('revoked client certificates; read again when it changes'),
          })
          .optional()
          .describe('a further port with TLS, where callers may show a client certificate; all are PEM files'),
      })
      .prefault({}),
    jwt: z
      .strictObject({
        issuer: text.describe('the `iss` that tokens must have'),
        audience: text.describe('the `aud` that tokens must have'),
        algorithms: z
          .array(z.enum(JWT_ALGORITHMS))
          .min(1)
          .default(['RS256', 'ES256'])
          .describe('the `alg` that tokens may have'),
        subjectClaim: text.default('sub').describe('the claim that names the caller'),
        jwksUrl: httpUrl
          .optional()
          .describe('where the keys are; fetched again when a token names a key that is not known'),
        jwksFile: text.optional().describe('a file with the keys, in place of the URL'),
        clockToleranceSeconds: count(0, 300).default(30).describe('how far clocks may differ'),
      })
      .refine(({ jwksUrl, jwksFile }) => (jwksUrl === undefined) !== (jwksFile === undefined), {
        message: 'exactly one of jwksUrl and jwksFile must be given',
      })
      .optional()
      .describe('JSON Web Tokens in `Authorization: Bearer`'),
    exhook: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(9000),
        tls: z
          .strictObject({
            cert: text.describe('certificate that EMQX checks; read again when it changes'),
            key: text.describe('its private key'),
            clientCa: text
              .optional()
              .describe(
                'authorities of EMQX: a caller must show a certificate that one of them issued; read again when it changes',
              ),
          })
          .optional()
          .describe('TLS in place of clear text; all are PEM files'),
        unverifiedCallers: z
          .literal('trusted-network')
          .optional()
          .describe(
            'says that only EMQX reaches the port: whoever else does can try passwords and forge outcomes. Needed where `host` is no loopback address and there is no `tls.clientCa`',
          ),
      })
      .prefault({})
      .refine(
        ({ host, tls, unverifiedCallers }) =>
          host === 'localhost' || isLoopback(host) || (tls?.clientCa ?? unverifiedCallers) !== undefined,
        {
          path: ['host'],
          message:
            'is reached from other machines, and whoever reaches it can try passwords and forge outcomes: set exhook.tls with clientCa, or, where only EMQX reaches it, exhook.unverifiedCallers (TIGHTBEAM_EXHOOK_UNVERIFIED_CALLERS) to trusted-network',
        },
      )
      .describe('the hook provider, which EMQX calls (gRPC)'),
    embedded: z
      .strictObject({ host: text.default('127.0.0.1'), port: port.default(1883) })
      .prefault({})
      .describe('the embedded broker of `tightbeam dev`'),
    door: DoorSchema,
    broker: z
      .strictObject({
        kind: z
          .enum(['emqx', 'door'])
          .default('emqx')
          .describe('EMQX with the delivery plugin, or the door before any other MQTT broker, Mosquitto for one'),
        urls: z
          .array(url)
          .min(1)
          .default(['mqtt://127.0.0.1:1883'])
          .describe(
            'MQTT addresses of the broker nodes: `mqtt://HOST:PORT` or `mqtts://HOST:PORT`; behind the door one, which may be `unix:PATH`',
          ),
        username: text
          .default('tightbeam')
          .describe("the service's own user on the broker, which alone publishes to `$dm/#` without being asked about"),
        password: text.optional().describe('its password'),
        connections: count(1, 256).default(4).describe('connections opened at the start, spread over `urls`'),
        maxConnections: count(1, 1024)
          .default(64)
          .describe(
            "connections at the most: more are opened when all windows (the broker's Receive Maximum) are full",
          ),
        lifecycleEvents: flag
          .default(false)
          .describe(
            'publish connects, disconnects and subscriptions under `$aws/events/` in the form of AWS IoT Core, for whoever may subscribe',
          ),
        api: z
          .strictObject({
            url: httpUrl,
            key: text,
            secret: text,
          })
          .optional()
          .describe(
            "EMQX's management API, for the operations beside SendDirectMessage and Publish, which are answered NOT_SUPPORTED without it",
          ),
        tls: z
          .strictObject({
            ca: text.optional().describe('authorities that the broker is checked against (PEM)'),
            cert: text.optional().describe('client certificate (PEM)'),
            key: text.optional().describe('its private key (PEM)'),
          })
          .prefault({})
          .describe('of `mqtts` addresses'),
      })
      .prefault({})
      .refine((broker) => broker.maxConnections >= broker.connections, {
        path: ['maxConnections'],
        message: 'must not be less than connections',
      })
      .refine(({ kind, urls }) => kind === 'door' || urls.every((one) => !one.startsWith('unix:')), {
        path: ['urls'],
        message: 'must be mqtt://HOST:PORT or mqtts://HOST:PORT where kind is emqx',
      })
      .refine(({ kind, urls }) => kind !== 'door' || urls.length === 1, {
        path: ['urls'],
        message: 'must be one address where kind is door',
      }),
    policies: text.default('policies').describe('folder of policies and `principals.json`; read again when it changes'),
    authorization: z
      .strictObject({
        mode: z
          .enum(['enforce', 'shadow'])
          .default('enforce')
          .describe(
            'shadow: what the policies deny to MQTT clients is told (WouldDeny) and goes on; read again on SIGHUP, as are the next two',
          ),
        modes: z
          .record(principalPattern, z.enum(['enforce', 'shadow']))
          .default({})
          .describe('modes of single principals, by name or pattern, before the general one: `{ "lock-*": enforce }`'),
        inShadow: z
          .enum(['broker', 'allow'])
          .default('broker')
          .describe(
            'what decides in place of policies in shadow: the broker as it would without them (EMQX by `authorization.no_match`), or nobody (allow)',
          ),
        baseline: text
          .optional()
          .describe(
            'folder of policies as they were approved: contents of `policies` that grant anything beyond are refused, at the start and on reload',
          ),
        receiveOnSubscribe: z
          .enum(['every', 'some', 'off'])
          .default('every')
          .describe(
            'what `iot:Receive` must allow for a subscription: every topic that the filter matches, some, or nothing (off)',
          ),
        hashMatchesParent: flag
          .default(true)
          .describe('whether `sensor/#` matches `sensor`: true in MQTT and EMQX, false at AWS IoT'),
      })
      .prefault({}),
    credentials: text
      .default('credentials.json')
      .describe('file of access keys and MQTT passwords; read again when it changes'),
    aws: z
      .strictObject({
        region: z
          .string()
          .regex(/^[a-z0-9-]+$/, 'must be an AWS region name')
          .default('us-east-1'),
        accountId: z
          .string({ error: 'must be 12 digits, in quotes' })
          .regex(/^\d{12}$/, 'must be 12 digits')
          .default('000000000000'),
        partition: z.enum(['aws', 'aws-cn', 'aws-us-gov']).default('aws'),
      })
      .prefault({}),
    limits: z
      .strictObject({
        payloadBytes: count(1, 1_048_576).default(131_072).describe('payload of a message'),
        clientIdCharacters: count(1, 65_535).default(128).describe('length of the client ID'),
        topicBytes: count(1, 65_535).default(256).describe('length of the topic, in UTF-8'),
        topicSlashes: count(0, 65_535).default(7).describe('slashes in the topic'),
        timeoutSeconds: count(1, 15).default(15).describe('the longest timeout that a caller may ask for'),
        defaultTimeoutSeconds: count(1, 15).default(5).describe('the timeout of a caller who asks for none'),
        pendingConfirmations: count(1, 1_000_000)
          .default(10_000)
          .describe('messages that may wait for their confirmation at once, in this replica'),
        rates: z
          .strictObject({
            perCaller: rate.optional().describe('requests of one caller'),
            global: rate.optional().describe('requests of all callers'),
            perReceiver: rate
              .optional()
              .describe(
                'direct messages to one device, whoever sends; over MQTT too where the broker is the embedded one',
              ),
          })
          .prefault({})
          .describe('token buckets of this replica; no limit where none is given'),
      })
      .prefault({})
      .refine(({ timeoutSeconds, defaultTimeoutSeconds }) => defaultTimeoutSeconds <= timeoutSeconds, {
        path: ['defaultTimeoutSeconds'],
        message: 'must not be more than timeoutSeconds',
      })
      .describe(
        'what a direct message may be; the delivery plugin in EMQX has the same limits in its own settings: raise both',
      ),
    log: z
      .strictObject({
        level: z.preprocess(
          (value) => (typeof value === 'string' ? value.toUpperCase() : value),
          z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'DISABLED']).default('INFO'),
        ),
        eventLevels: z
          .partialRecord(z.enum(EVENT_TYPES), z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'DISABLED']))
          .default({})
          .describe('least levels of single event types, before the general one: `{ Connect: ERROR }`'),
        successRatio: ratio
          .default(1)
          .describe('share of success lines written, chosen by trace; failures are always written'),
        publishIn: topicFilters.default([]).describe('topic filters of publishes that are logged'),
        publishOut: topicFilters
          .default([])
          .describe('topic filters of messages that are logged when written to a client'),
        publishAck: topicFilters
          .default([])
          .describe('topic filters of messages that are logged when a client acknowledges them'),
        dropped: topicFilters
          .default(['#'])
          .describe('topic filters of messages that are logged when the broker drops them for a client'),
        noSubscribers: topicFilters
          .default([])
          .describe('topic filters of messages that are logged when nobody subscribes to them'),
        unsubscribe: flag.default(false).describe('log Unsubscribe events'),
        sessions: flag.default(true).describe('log sessions that are resumed or expire'),
        clients: z
          .array(line)
          .min(1)
          .default(['*'])
          .describe('client IDs whose events are logged; `*` stands for any characters'),
      })
      .prefault({}),
    console: ConsoleSchema,
    telemetry: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(9464),
        metrics: flag.default(true).describe('whether there are metrics'),
        tailToken: text.optional().describe('opens the events to other machines, for who shows it'),
        topicGroups: z
          .record(
            z.string().regex(/^[\w.-]{1,64}$/, 'must be a name of letters, digits, `_`, `.` and `-`'),
            topicFilters.min(1),
          )
          .refine((groups) => Object.keys(groups).length <= 32, 'must not be more than 32 groups')
          .default({})
          .describe(
            'topic filters by name, for the metrics of messages: `{ doors: [door/#] }`; the first that matches counts',
          ),
        propagateToDevices: flag.default(false).describe('send `traceparent` to MQTT 5 devices as a user property'),
      })
      .prefault({})
      .describe('Prometheus metrics, and the events for `tightbeam tail`'),
  })
  .refine(({ http, jwt }) => http.sigv4 || jwt !== undefined || http.tls !== undefined, {
    path: ['http', 'sigv4'],
    message: 'callers need at least one way to authenticate: sigv4, jwt or tls',
  });

export type Config = z.output<typeof ConfigSchema>;
