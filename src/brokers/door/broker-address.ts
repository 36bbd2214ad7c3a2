import type { SecureContextOptions } from 'node:tls';

/** Where the broker behind the door listens. */
export type BrokerAddress =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'tls'; readonly host: string; readonly port: number; readonly tls: SecureContextOptions }
  | { readonly kind: 'unix'; readonly path: string };

/** Ports of MQTT where a URL names none. */
const PORTS = { 'mqtt:': 1883, 'mqtts:': 8883 } as const;

/** The address of `mqtt://HOST:PORT`, `mqtts://HOST:PORT` or `unix:PATH`, which the configuration has checked. */
export function brokerAddress(url: string, tls: SecureContextOptions): BrokerAddress {
  if (url.startsWith('unix:')) return { kind: 'unix', path: url.slice('unix:'.length) };
  const { protocol, hostname, port } = new URL(url);
  // An IPv6 address stands in brackets (RFC 3986, section 3.2.2).
  const host = hostname.replace(/^\[(.*)\]$/, '$1');
  const number = port === '' ? PORTS[protocol as keyof typeof PORTS] : Number(port);
  return protocol === 'mqtts:' ? { kind: 'tls', host, port: number, tls } : { kind: 'tcp', host, port: number };
}
