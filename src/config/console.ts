import { z } from 'zod';
import { isLoopback } from '../loopback.js';
import { port, text } from './fields.js';

const NAMES_NEEDED =
  'must name where people reach the console, where it is reached from other machines or behind a proxy: https://console.example';

/** As browsers write it: scheme, host, and a port that is not the scheme's own. */
const origin = z.string().refine((value) => URL.canParse(value) && new URL(value).origin === value, {
  message: 'must be an origin, as browsers write it: https://console.example',
});

/** Settings of the console. */
export const ConsoleSchema = z
  .strictObject({
    host: text.default('127.0.0.1'),
    port: port.default(8090),
    tls: z
      .strictObject({
        cert: text.describe('certificate of the server; read again when it changes'),
        key: text.describe('its private key'),
        clientCa: text.describe('authorities whose client certificates may sign in'),
        clientCrl: text.optional().describe('revoked client certificates; read again when it changes'),
      })
      .optional()
      .describe('TLS in place of clear text; all are PEM files'),
    behind: z
      .literal('tls-proxy')
      .optional()
      .describe(
        'says that only a proxy reaches the port, that people speak TLS with it, and that it adds their address to `X-Forwarded-For`',
      ),
    origins: z
      .array(origin)
      .default([])
      .describe('where people reach it, beside loopback addresses: `https://console.example`'),
    sessionSecret: z
      .string()
      .min(32, 'must have 32 characters or more')
      .optional()
      .describe('secret that seals sessions, the same in all replicas; without it, sessions end with the process'),
  })
  .refine(({ host, tls, behind }) => host === 'localhost' || isLoopback(host) || (tls ?? behind) !== undefined, {
    path: ['host'],
    message:
      'is reached from other machines: set console.tls, or, where a proxy speaks TLS with the people, console.behind to tls-proxy',
  })
  .refine(
    ({ host, behind, origins }) =>
      origins.length > 0 || (behind === undefined && (host === 'localhost' || isLoopback(host))),
    { path: ['origins'], message: NAMES_NEEDED },
  )
  .refine(
    ({ tls, behind, origins }) =>
      origins.every((one) => one.startsWith((tls ?? behind) === undefined ? 'http://' : 'https://')),
    { path: ['origins'], message: 'must be https:// where people speak TLS with the console, else http://' },
  )
  .optional()
  .describe('the console, a web page; without this section there is none');
