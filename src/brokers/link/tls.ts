import { readFileSync } from 'node:fs';
import type { Config } from '../../config/schema.js';

/** The TLS files of connections to the broker. @throws where one cannot be read. */
export function readTls({ ca, cert, key }: Config['broker']['tls']): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
  return {
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined ? {} : { cert: readFileSync(cert) }),
    ...(key === undefined ? {} : { key: readFileSync(key) }),
  };
}
