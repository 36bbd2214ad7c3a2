import type { Authentication, Authenticator, PresentedCredentials } from '../../src/identity/authenticator.js';
import type { Identity } from '../../src/identity/identity.js';
import type { Action, Authorizer, Decision } from '../../src/policy/authorizer.js';
import type { AnyEvent, EventOf, Events, EventType } from '../../src/observing/events.js';

/** One asked question: the action, who asked, and on what. */
export interface Asked {
  readonly action: Action;
  readonly identity: Identity;
  readonly resource: string;
  readonly topic?: string;
}

/** An authorizer that allows all but what `denies` says, and remembers what it was asked. */
export function fakeAuthorizer(denies: (asked: Asked) => boolean = () => false): Authorizer & { asked: Asked[] } {
  const asked: Asked[] = [];
  const decide = (action: Action, identity: Identity, resource: string, topic?: string): Decision => {
    const question: Asked = { action, identity, resource, ...(topic === undefined ? {} : { topic }) };
    asked.push(question);
    return denies(question)
      ? { effect: 'deny', cause: 'implicitDeny', action, resource, errors: [] }
      : { effect: 'allow', cause: 'explicitAllow', action, resource, policy: 'p', statement: '0', errors: [] };
  };
  return {
    asked,
    connect: (identity) => decide('iot:Connect', identity, `client/${identity.clientId ?? ''}`),
    publish: (identity, topic) => decide('iot:Publish', identity, `topic/${topic}`),
    subscribe: (identity, filter) => decide('iot:Subscribe', identity, `topicfilter/${filter}`),
    sendDirectMessage: (identity, target, topic) =>
      decide('iot:SendDirectMessage', identity, `client/${target}`, topic),
    receiveDirectMessage: (identity, topic) => decide('iot:Receive', identity, `topic/${topic}`),
    decide: (identity, action, resource) => decide(action, identity, resource),
  };
}

/** An authenticator that knows everybody, but refuses the password `wrong` and fails on the password `broken`. */
export function fakeAuthenticator(): Authenticator & { seen: PresentedCredentials[] } {
  const seen: PresentedCredentials[] = [];
  return {
    seen,
    authenticate(credentials): Promise<Authentication> {
      seen.push(credentials);
      if (credentials.password === 'broken') return Promise.reject(new Error('the store is on fire'));
      if (credentials.password === 'wrong') {
        return Promise.resolve({ ok: false, reason: 'INVALID_CREDENTIALS', details: 'The password is wrong.' });
      }
      const { clientId, username, certificate, sourceIp } = credentials;
      return Promise.resolve({
        ok: true,
        identity: {
          protocol: 'MQTT',
          clientId,
          ...(username === undefined ? {} : { username }),
          ...(certificate === undefined ? {} : { certificate }),
          ...(sourceIp === undefined ? {} : { sourceIp }),
        },
      });
    },
  };
}

/** Events that are kept, and can be waited for. */
export class FakeEvents implements Events {
  readonly all: { name: EventType; event: AnyEvent }[] = [];
  #waiting: (() => void)[] = [];

  /** The first event of that type for which `matches` holds, past or to come. */
  async next<Type extends EventType>(
    type: Type,
    matches: (event: EventOf<Type>) => boolean = () => true,
  ): Promise<EventOf<Type>> {
    for (;;) {
      const found = this.all.find(({ name, event }) => name === type && matches(event as EventOf<Type>));
      if (found !== undefined) return found.event as EventOf<Type>;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  tell = (name: EventType, event: AnyEvent): void => {
    this.all.push({ name, event });
    for (const wake of this.#waiting.splice(0)) wake();
  };
}
