import type { Reason } from '../reasons.js';
import type { Identity } from './identity.js';

/** A request of the HTTP API, as far as finding out who sends it needs. */
export interface CallerRequest {
  readonly method: string;
  /** As on the wire: still percent-encoded, without the query. */
  readonly path: string;
  /** As on the wire, without the question mark. */
  readonly rawQuery: string;
  /** `rawQuery`, decoded once. Every value of a repeated name, in order. */
  readonly query: ReadonlyMap<string, readonly string[]>;
  /** Names in lower case. Every value of a repeated header, in order, as UTF-8 text. */
  readonly headers: ReadonlyMap<string, readonly string[]>;
  readonly body: Uint8Array;
  /** What the transport knows of the peer whoever it is: address and TLS. */
  readonly peer: Identity;
  /** The certificate that TLS verified: a credential of the connection, which a request may outdo with its own. */
  readonly certificate?: Identity['certificate'];
  /** Why TLS did not verify the certificate that the peer presented. Absent where it did, and where there was none. */
  readonly certificateFault?: string | undefined;
}

/** Why a caller was turned away. `details` is for the log alone: callers are told what their reason says and no more. */
export interface Refusal {
  readonly ok: false;
  readonly reason: Extract<
    Reason,
    'MISSING_CREDENTIALS' | 'INVALID_CREDENTIALS' | 'EXPIRED_SIGNATURE' | 'CALLER_KEYS_UNAVAILABLE'
  >;
  readonly details: string;
}

export type CallerVerdict = { readonly ok: true; readonly identity: Identity } | Refusal;

/** One way for a caller to prove who they are. */
export interface CallerAuthenticator {
  /** What it is called in the log: `SigV4`, `JWT`, `mutual TLS`. */
  readonly scheme: string;
  /** Whether it cannot say who sends this request without its body. Absent: never. */
  needsBody?(request: Omit<CallerRequest, 'body'>): boolean;
  /** Undefined where the request holds no credentials of this kind. Never rejects because of what a request holds. */
  authenticate(request: CallerRequest): CallerVerdict | Promise<CallerVerdict> | undefined;
}

/**
 * Exactly one credential counts: the most explicit one, which is the request's own before its connection's. A gateway's
 * certificate lends nothing to the requests of others that it passes on. That choice is this project's: at AWS IoT the question
 * does not come up, since port and ALPN, or the endpoint's configuration, leave each connection one way to authenticate (read:
 * AWS IoT Core Developer Guide, "Device communication protocols", table "Protocols, authentication, and port mappings").
 *
 * The first authenticator that finds credentials of its kind decides. What it refuses is refused: there is no second
 * chance with other credentials, or a stolen weak one would do where a strong one is required.
 */
export async function authenticateCaller(
  authenticators: readonly CallerAuthenticator[],
  request: CallerRequest,
): Promise<CallerVerdict> {
  for (const authenticator of authenticators) {
    const verdict = await authenticator.authenticate(request);
    if (verdict !== undefined) return verdict;
  }
  const accepted = authenticators.map(({ scheme }) => scheme).join(', ');
  return { ok: false, reason: 'MISSING_CREDENTIALS', details: `No credentials of a kind accepted here (${accepted}).` };
}
