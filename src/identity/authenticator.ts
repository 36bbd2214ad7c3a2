import type { Reason } from '../reasons.js';
import type { Identity } from './identity.js';

/** What a client brought to CONNECT. Nothing of it is verified but what is said to be. */
export interface Credentials {
  readonly clientId: string;
  readonly username?: string;
  /** Never log it. */
  readonly password?: string;
  /** Subject of the client certificate, verified by the broker's TLS handshake. */
  readonly certificate?: { readonly commonName: string; readonly distinguishedName?: string };
  readonly sourceIp?: string;
  readonly sourcePort?: number;
  /** True where an authenticator of the broker itself has accepted the client: username and client ID are verified. */
  readonly acceptedByBroker: boolean;
}

export type Authentication =
  | { readonly ok: true; readonly identity: Identity }
  | {
      readonly ok: false;
      readonly reason: Extract<Reason, 'MISSING_CREDENTIALS' | 'INVALID_CREDENTIALS'>;
      /** For the operator; holds no secret. */
      readonly details: string;
    };

/** Says who a client is. */
export interface Authenticator {
  /**
   * Later calls of the broker about this connection carry username and certificate name, and no word on which of them
   * were verified. So whoever implements this refuses a client that names a username which it does not verify, even
   * where the certificate alone would do, unless no principal can ever stand for such a username.
   *
   * A rejected promise refuses the client.
   */
  authenticate(credentials: Credentials): Promise<Authentication>;
}
