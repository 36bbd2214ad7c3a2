import { z } from 'zod';

const port = z.coerce.number().int().min(0).max(65535);
const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const url = z.string().regex(/^mqtts?:\/\/[^/]+$/, 'must be mqtt://HOST:PORT or mqtts://HOST:PORT');
const text = z.string().min(1);

/**
 * The whole configuration: every setting, its limits and its default. Lengths of time are milliseconds, sizes bytes.
 * Unknown names are errors, so that a misspelt setting cannot be ignored.
 */
export const ConfigSchema = z.strictObject({
  http: z
    .strictObject({
      host: text.default('127.0.0.1'),
      port: port.default(8080),
      /** A request whose headers and body have not arrived by then is refused. */
      requestTimeoutMs: count(100, 120_000).default(10_000),
    })
    .prefault({}),
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
    })
    .prefault({}),
  log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info') }).prefault({}),
});

export type Config = z.output<typeof ConfigSchema>;
export type ConfigInput = z.input<typeof ConfigSchema>;
