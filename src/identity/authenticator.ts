import type { Reason } from '../reasons.js';
import type { Identity } from './identity.js';

/** What a client brought to CONNECT. Nothing of it is verified but what is said to be. */
export interface PresentedCredentials {
  readonly clientId: string;
  readonly username?: string;
  /** Never log it. */
  readonly password?: string;
  /** Subject of the client certificate that the broker's TLS handshake verified; never one that somebody only told of. */
  readonly certificate?: NonNullable<Identity['certificate']>;
  /** Why what the broker tells of a certificate is not believed; then there is no `certificate`. For the operator. */
  readonly certificateFault?: string;
  readonly sourceIp?: string;
  readonly sourcePort?: number;
  /** Address of the broker's node that asks, as the transport saw it. */
  readonly askedBy?: string | undefined;
}

export type Authentication =
  | { readonly ok: true; readonly identity: Identity }
  | {
      readonly ok: false;
      readonly reason: Extract<Reason, 'MISSING_CREDENTIALS' | 'INVALID_CREDENTIALS' | 'AUTHENTICATION_THROTTLED'>;
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
  authenticate(credentials: PresentedCredentials): Promise<Authentication>;
}
