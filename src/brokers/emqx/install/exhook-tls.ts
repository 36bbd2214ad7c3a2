import { createHash } from 'node:crypto';
import type { ExHookServer } from '../api.js';
import { type Finding, warn } from './finding.js';
import { InstallError } from './plan.js';
import { NAME } from './state.js';

/** What EMQX needs to call the service over TLS. In PEM: EMQX keeps it in files of its own, on every node. */
export interface ExHookTls {
  /** Authorities, one of which must have issued the service's certificate. */
  readonly ca?: string;
  /** What EMQX shows to the service, where that asks for it. */
  readonly client?: { readonly cert: string; readonly key: string };
  /** The name in the service's certificate, where it is not that of the URL. EMQX (seen at 5.8.9) compares no addresses. */
  readonly serverName?: string;
}

type Ssl = NonNullable<ExHookServer['ssl']>;

const LOOPBACK = /^http:\/\/(localhost|127(\.\d+){3}|\[::1\])(:|\/|$)/;

/** Where to look when a service with TLS is not reached. */
export const WHOSE_LOG =
  "EMQX's log says where it does not accept the service's certificate (--exhook-ca; --exhook-server-name, which a HOST " +
  "that is an address needs), the service's where it does not accept EMQX's (--exhook-cert, exhook.tls.clientCa).";

/**
 * The TLS settings of the registration: as they are, but for what is given.
 *
 * @throws InstallError where EMQX would not know whom it gives the passwords of devices to, or speaks clear text.
 */
export function sslSettings(url: string, registered: Ssl | undefined, given: ExHookTls): Ssl | undefined {
  const { ca, client, serverName } = given;
  if (!url.startsWith('https:')) {
    if (Object.keys(given).length === 0) return registered;
    throw new InstallError(
      `certificates are of use to a service with TLS, and EMQX calls ${url}: give --exhook-url grpcs://HOST:PORT`,
    );
  }
  if (ca === undefined && registered?.enable !== true) {
    throw new InstallError(
      `${url} needs --exhook-ca: the authorities by which EMQX knows that it is the service which it gives passwords to`,
    );
  }
  return {
    ...registered,
    enable: true,
    ...(ca !== undefined && { verify: 'verify_peer', ...stored(registered, 'cacertfile', ca) }),
    ...(client !== undefined && {
      ...stored(registered, 'certfile', client.cert),
      ...stored(registered, 'keyfile', client.key),
    }),
    ...(serverName !== undefined && { server_name_indication: serverName }),
  };
}

/**
 * The setting, as it is where EMQX has this very text already. It answers with the path of the file which it has put the
 * text into, and that ends in a fingerprint: of name and text, in EMQX 5.0 of the text alone. Where another EMQX names
 * its files otherwise, the same text is registered again, which does no harm.
 */
function stored(registered: Ssl | undefined, setting: 'cacertfile' | 'certfile' | 'keyfile', pem: string): Ssl {
  const path = registered?.[setting] ?? '';
  const name = setting.replace('file', '');
  const prints = [`exhook/${NAME}${name}${pem}`, pem].map((text) =>
    createHash('md5').update(text).digest('hex').slice(0, 16),
  );
  const isStored = prints.some((print) => path.toLowerCase().endsWith(`/${name}-${print}`));
  return { [setting]: isStored ? path : pem };
}

/** True where there is the text of a certificate or key among the TLS settings. */
export function holdsPem({ ssl }: Record<string, unknown>): boolean {
  return Object.values(ssl ?? {}).some(isPem);
}

function isPem(value: unknown): boolean {
  return typeof value === 'string' && value.includes('-----BEGIN ');
}

/** Settings one by one, for people: without the text of certificates and keys. */
export function listed({ ssl, ...settings }: Record<string, unknown>): Record<string, unknown> {
  const entries = Object.entries(ssl ?? {}).map(([name, value]: [string, unknown]) => [
    `ssl.${name}`,
    isPem(value) ? '(PEM)' : value,
  ]);
  return { ...settings, ...(Object.fromEntries(entries) as object) };
}

/** How the calls travel, for the end of a sentence. */
export function over({ url, ssl }: ExHookServer): string {
  if (!url.startsWith('https:')) return '';
  return ssl?.certfile === undefined ? ', over TLS' : ', over mutual TLS';
}

/** Whether others can read the calls, or answer them. */
export function secrecy({ url, ssl }: ExHookServer): readonly Finding[] {
  if (!url.startsWith('https:')) {
    if (LOOPBACK.test(url)) return [];
    return [
      warn(
        `EMQX calls ${url} in clear text: whoever is on the way reads the passwords of devices`,
        'Give the service exhook.tls, and run `tightbeam emqx install --exhook-url grpcs://HOST:PORT --exhook-ca FILE`; ' +
          'or keep it, where nobody else is in that network.',
      ),
    ];
  }
  if (ssl?.enable && ssl.verify === 'verify_peer' && ssl.server_name_indication !== 'disable') return [];
  return [
    warn(
      `EMQX does not check that it is the service which answers at ${url}: passwords of devices go to whoever does`,
      'Run `tightbeam emqx install --exhook-ca FILE --exhook-server-name NAME`.',
    ),
  ];
}
