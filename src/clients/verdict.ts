import type { Identity } from '../identity/identity.js';
import type { Decision } from '../policy/authorizer.js';
import type { Reason } from '../reasons.js';

/**
 * What a client is answered. `decision` is what policies said; absent where none was asked. Whoever answers tells nobody
 * else of a refusal: the use case has.
 */
export type Verdict = Allowed | Refused;

export interface Allowed {
  readonly allowed: true;
  readonly decision?: Decision;
}

export interface Refused {
  readonly allowed: false;
  readonly reason: Reason;
  readonly decision?: Decision;
  readonly details?: string;
  /** Of a refused CONNECT: who it is, where that was proved. */
  readonly provenIdentity?: Identity;
}

/** What everybody tells who asks or tells something of a client. */
export interface OfClient {
  /** Who, as established when the connection was opened. */
  readonly identity: Identity;
  /** The trace that it belongs to; absent, it gets one of its own. */
  readonly traceId?: string | undefined;
}

/** What a broker tells with a question, beyond who and what. */
export interface BrokersWord {
  /** What it answers where nobody else decides; absent where it does not tell, or is yet to decide. */
  readonly brokersOwn?: boolean | undefined;
}
