import type { MutualTlsMaterial } from '../../src/http/tls.js';

/** What the server under test is given. */
export interface Given {
  readonly accessKey: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly tls: MutualTlsMaterial;
  readonly jwks: object;
  readonly issuer: string;
}

/** Where each way to authenticate is asked for: one server each, alike but for that. */
export type HttpPorts = Readonly<Record<'nobody' | 'sigv4' | 'jwt' | 'nobodyOverTls' | 'mutualTls', number>>;
