import type { Authenticator } from '../identity/authenticator.js';
import type { Identity } from '../identity/identity.js';
import type { Diagnostics } from '../observing/diagnostics.js';
import type { Events, Traffic } from '../observing/events.js';
import { noTracing, type Tracing } from '../observing/tracing.js';
import type { Authorizer } from '../policy/authorizer.js';
import type { Refusals } from './refusals.js';
import { ENFORCE, type Enforcement } from './enforcement.js';

export interface ClientOptions {
  /** With its limit of guesses, where there is one. */
  readonly authenticator: Authenticator;
  readonly authorizer: Authorizer;
  readonly events: Events;
  readonly diagnostics: Diagnostics;
  /** Default: none. */
  readonly tracing?: Tracing;
  /** Counts what a broker has counted. Default: nobody does. */
  readonly traffic?: (counted: Traffic) => void;
  /** Whose decisions count. Default: those of the policies. */
  readonly enforcement?: Enforcement;
  /** Brings refusals of receivers and outcomes together. Default: each refusal is told at once. */
  readonly refusals?: Refusals;
  /** The principal that stands for somebody, by its name. Default: nobody knows. */
  readonly principalOf?: (identity: Identity) => string | undefined;
  /** Username of the service's own connections to the broker. */
  readonly serviceUsername: string;
}

/** What the use cases need of the world. */
export interface ClientContext extends Required<ClientOptions> {
  /** Runs a task when the answer is on its way. What it throws is logged and fails nobody. */
  readonly afterwards: (task: () => void) => void;
}

export function clientContext(options: ClientOptions): ClientContext {
  const { diagnostics, tracing = noTracing, traffic = () => undefined, enforcement = ENFORCE } = options;
  const afterwards = (task: () => void): void => {
    setImmediate(() => {
      try {
        task();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        diagnostics('error', 'An event could not be recorded.', { error: message });
      }
    });
  };
  const tellAtOnce: Refusals = {
    add: (_address, refusal) => {
      afterwards(() => {
        options.events.tell('Receive', refusal);
      });
    },
    settle: () => undefined,
  };
  const { refusals = tellAtOnce, principalOf = () => undefined } = options;
  return { ...options, tracing, traffic, enforcement, refusals, principalOf, afterwards };
}

/**
 * Whether it is the service itself. It connects with its password and publishes to any topic, direct ones among them,
 * without a policy: the HTTP API has authorized the caller it publishes for. It receives direct messages to its own client
 * IDs. Policies decide only what it subscribes to, which is nothing.
 */
export function isService(
  { username }: Identity,
  { serviceUsername }: Pick<ClientContext, 'serviceUsername'>,
): boolean {
  return username === serviceUsername;
}
