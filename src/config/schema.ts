import { z } from 'zod';
import { JWT_ALGORITHMS } from '../identity/jwt.js';
import { EVENT_TYPES } from '../telemetry/log/levels.js';

const port = z.coerce.number().int().min(0).max(65535);
const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const url = z.string().regex(/^mqtts?:\/\/[^/]+$/, 'must be mqtt://HOST:PORT or mqtts://HOST:PORT');
const text = z.string().min(1);
/** Messages or requests: so many a second on average, so many at once. */
const rate = z.strictObject({ perSecond: z.coerce.number().positive(), burst: count(1, 1_000_000) });
const flag = z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());

/**
 * The whole configuration: every setting, its limits and its default. Lengths of time are milliseconds, sizes bytes.
 * Unknown names are errors, so that a misspelt setting cannot be ignored.
 */
export const ConfigSchema = z
  .strictObject({
    http: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(8080),
        /** A request whose headers and body have not arrived by then is refused. */
        requestTimeoutMs: count(100, 120_000).default(10_000),
        /** Whether callers may sign with SigV4, by the access keys of the credentials file. */
        sigv4: flag.default(true),
        /** A further port with TLS, where callers may show a client certificate. All are PEM files. */
        tls: z
          .strictObject({
            port: port.default(8443),
            cert: text,
            key: text,
            clientCa: text,
            clientCrl: text.optional(),
          })
          .optional(),
      })
      .prefault({}),
    /** JSON Web Tokens in `Authorization: Bearer`. Keys come from a URL or from a file. */
    jwt: z
      .strictObject({
        issuer: text,
        audience: text,
        algorithms: z.array(z.enum(JWT_ALGORITHMS)).min(1).default(['RS256', 'ES256']),
        /** The claim that names the caller. */
        subjectClaim: text.default('sub'),
        jwksUrl: z.url({ protocol: /^https?$/ }).optional(),
        jwksFile: text.optional(),
        clockToleranceSeconds: count(0, 300).default(30),
      })
      .refine(({ jwksUrl, jwksFile }) => (jwksUrl === undefined) !== (jwksFile === undefined), {
        message: 'exactly one of jwksUrl and jwksFile must be given',
      })
      .optional(),
    exhook: z.strictObject({ host: text.default('127.0.0.1'), port: port.default(9000) }).prefault({}),
    embedded: z.strictObject({ host: text.default('127.0.0.1'), port: port.default(1883) }).prefault({}),
    broker: z
      .strictObject({
        urls: z.array(url).min(1).default(['mqtt://127.0.0.1:1883']),
        /** The service's own user on the broker; the broker lets it, and nobody else, publish to `$dm/#` unasked. */
        username: text.default('tightbeam'),
        password: text.optional(),
        /** Connections opened at the start, spread over `urls`. */
        connections: count(1, 256).default(4),
        /** Connections at the most: more are opened when all windows (the broker's Receive Maximum) are full. */
        maxConnections: count(1, 1024).default(64),
        /** EMQX's management API, for the operations beside SendDirectMessage. */
        api: z.strictObject({ url: z.url({ protocol: /^https?$/ }), key: text, secret: text }).optional(),
        tls: z
          .strictObject({
            ca: text.optional(),
            cert: text.optional(),
            key: text.optional(),
          })
          .prefault({}),
      })
      .prefault({})
      .refine((broker) => broker.maxConnections >= broker.connections, {
        path: ['maxConnections'],
        message: 'must not be less than connections',
      }),
    policies: text.default('policies'),
    authorization: z
      .strictObject({
        /**
         * What `iot:Receive` must allow for a subscription to be granted: every topic that the filter matches, at least
         * one (some), or nothing (off).
         */
        receiveOnSubscribe: z.enum(['every', 'some', 'off']).default('every'),
        /** Whether `sensor/#` matches `sensor`: true in MQTT and EMQX, false at AWS IoT. */
        hashMatchesParent: flag.default(true),
      })
      .prefault({}),
    credentials: text.default('credentials.json'),
    aws: z
      .strictObject({
        region: z
          .string()
          .regex(/^[a-z0-9-]+$/, 'must be an AWS region name')
          .default('us-east-1'),
        accountId: z
          .string()
          .regex(/^\d{12}$/, 'must be 12 digits')
          .default('000000000000'),
        partition: z.enum(['aws', 'aws-cn', 'aws-us-gov']).default('aws'),
      })
      .prefault({}),
    limits: z
      .strictObject({
        payloadBytes: count(1, 1_048_576).default(131_072),
        clientIdCharacters: count(1, 65_535).default(128),
        topicBytes: count(1, 65_535).default(256),
        topicSlashes: count(0, 65_535).default(7),
        timeoutSeconds: count(1, 15).default(15),
        defaultTimeoutSeconds: count(1, 15).default(5),
        /** Messages that may wait for their confirmation at once, in this replica. */
        pendingConfirmations: count(1, 1_000_000).default(10_000),
        /** Token buckets of this replica; no limit where none is given. */
        rates: z
          .strictObject({ perCaller: rate.optional(), global: rate.optional(), perReceiver: rate.optional() })
          .prefault({}),
      })
      .prefault({}),
    log: z
      .strictObject({
        level: z.preprocess(
          (value) => (typeof value === 'string' ? value.toUpperCase() : value),
          z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'DISABLED']).default('INFO'),
        ),
        /** Least levels of single event types, before the general one. */
        eventLevels: z
          .partialRecord(z.enum(EVENT_TYPES), z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR', 'DISABLED']))
          .default({}),
        /** Share of success lines written, chosen by trace; failures are always written. */
        successRatio: z.coerce.number().min(0).max(1).default(1),
        /**
         * Topic filters whose publishes (Publish-In) and deliveries (Publish-Out) are logged. Each costs the broker a
         * synchronous call a message: name few.
         */
        publishIn: z.array(text).default([]),
        publishOut: z.array(text).default([]),
        /** Log Unsubscribe events; each costs the broker a synchronous call. */
        unsubscribe: flag.default(false),
      })
      .prefault({}),
    telemetry: z
      .strictObject({
        host: text.default('127.0.0.1'),
        /** Prometheus metrics and the events for `tightbeam tail`. */
        port: port.default(9464),
        metrics: flag.default(true),
        /** Opens the events to other machines, for who shows it. */
        tailToken: text.optional(),
        /** Send `traceparent` to MQTT 5 devices as a user property. */
        propagateToDevices: flag.default(false),
      })
      .prefault({}),
  })
  .refine(({ http, jwt }) => http.sigv4 || jwt !== undefined || http.tls !== undefined, {
    path: ['http', 'sigv4'],
    message: 'callers need at least one way to authenticate: sigv4, jwt or tls',
  });

export type Config = z.output<typeof ConfigSchema>;
export type ConfigInput = z.input<typeof ConfigSchema>;
