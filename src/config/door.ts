import { z } from 'zod';
import { count, flag, network, path, port, text } from './fields.js';

/** Where `broker.kind` is `door`. */
export const DoorSchema = z
  .strictObject({
    host: text.default('127.0.0.1').describe('address that devices connect to in clear text'),
    port: port.default(1883),
    tls: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(8883),
        cert: text.describe('certificate of the door; read again when it changes'),
        key: text.describe('its private key'),
        clientCa: text
          .optional()
          .describe('authorities whose client certificates say who a device is; read again when it changes'),
        clientCrl: text.optional().describe('revoked client certificates; read again when it changes'),
        requireCertificate: flag
          .default(true)
          .describe('whether, with `clientCa`, a device without a certificate is refused'),
      })
      .optional()
      .describe('a further address, with TLS; all are PEM files'),
    webSocket: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(8083),
        path: path.default('/mqtt'),
      })
      .optional()
      .describe('a further address, for MQTT over WebSocket in clear text'),
    secureWebSocket: z
      .strictObject({
        host: text.default('127.0.0.1'),
        port: port.default(8084),
        path: path.default('/mqtt'),
      })
      .optional()
      .describe('a further address, for MQTT over WebSocket with the files of `door.tls`'),
    proxies: z
      .array(network)
      .default([])
      .describe(
        'addresses or networks of load balancers, whose connections begin with a PROXY protocol header (version 1 or 2); only from them it counts',
      ),
    authenticatedBy: z
      .enum(['tightbeam', 'broker'])
      .default('tightbeam')
      .describe(
        'whose word counts for who a client is: the credentials file, or the broker that accepts the CONNECT; the broker may refuse it in either case',
      ),
    packetBytes: count(1_024, 268_435_455).default(1_048_576).describe('largest packet of a client'),
    connectTimeoutMs: count(100, 120_000)
      .default(10_000)
      .describe('a client that is not connected by then, all handshakes included, is disconnected'),
  })
  .prefault({})
  .refine(({ tls, secureWebSocket }) => secureWebSocket === undefined || tls !== undefined, {
    path: ['secureWebSocket'],
    message: 'needs door.tls, whose certificate it shows',
  })
  .describe('where `broker.kind` is `door`: what stands before the broker');
