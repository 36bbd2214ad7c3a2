import type { Authenticator } from '../../identity/authenticator.js';
import type { Authorizer } from '../../policy/authorizer.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { Events } from '../../observing/events.js';
import type { HookSpan, Tracing } from '../../observing/tracing.js';
import type { Hook } from '../hooks.js';
import type { CallName, RequestOf, ResponseOf, ValuedResponse } from '../wire.js';

/** What the calls need of the world. */
export interface CallContext {
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly events: Events;
  readonly diagnostics: Diagnostics;
  /**
   * Username of the service's own connections to the broker. It connects with its password and publishes to any topic,
   * direct ones among them, without a policy: the HTTP API has authorized the caller it publishes for. It receives direct
   * messages to its own client IDs. Policies decide only what it subscribes to, which is nothing.
   */
  readonly serviceUsername: string;
  readonly hooks: readonly Hook[];
  readonly tracing: Tracing;
  /** Runs a task when the answer is on its way. What it throws is logged and fails nobody. */
  readonly afterwards: (task: () => void) => void;
}

/** Who calls: a node of the broker, or somebody in its place. */
export interface Caller {
  /** Address and port of the other end. */
  getPeer(): string;
}

export type Handler<Name extends CallName> = (
  request: RequestOf<Name>,
  context: CallContext,
  span: HookSpan,
  caller: Caller,
) => ResponseOf<Name> | Promise<ResponseOf<Name>>;

/**
 * Decisions always stop the chain: callbacks of lower priority (the guard, which denies) are for the case that no
 * provider answers.
 */
export const ALLOW: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: true });
export const DENY: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: false });
