/** How long a caller may take, in milliseconds. */
export interface HttpTimeouts {
  /** For the headers of a request to arrive, and for the TLS handshake. */
  readonly headersMs: number;
  /** For a whole request to arrive, body included. The time to answer is no part of it. */
  readonly requestMs: number;
  /** For the next piece of a streamed body, while nothing is under way for it, and for the answer to be read on. */
  readonly idleMs: number;
  /** For the next request on a connection. Over the 60 s of common load balancers, who must be the ones to close. */
  readonly keepAliveMs: number;
  /** How often the first two are checked, and so how late a caller may be noticed. */
  readonly checkMs: number;
}

export const DEFAULT_HTTP_TIMEOUTS: HttpTimeouts = Object.freeze({
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 30_000,
  keepAliveMs: 72_000,
  checkMs: 1_000,
});
