import type { Authentication, Authenticator, Credentials } from '../../src/identity/authenticator.js';
import type { Identity } from '../../src/identity/identity.js';
import type { Action, Authorizer, Decision } from '../../src/policy/authorizer.js';
import type { Events } from '../../src/observing/events.js';

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
export function fakeAuthenticator(): Authenticator & { seen: Credentials[] } {
  const seen: Credentials[] = [];
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

type EventName = keyof Events;
type EventOf<Name extends EventName> = Parameters<Events[Name]>[0];

/** Events that are kept, and can be waited for. */
export class FakeEvents implements Events {
  readonly all: { name: EventName; event: EventOf<EventName> }[] = [];
  #waiting: (() => void)[] = [];

  #add(name: EventName, event: EventOf<EventName>): void {
    this.all.push({ name, event });
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** The first event of that name for which `matches` holds, past or to come. */
  async next<Name extends EventName>(
    name: Name,
    matches: (event: EventOf<Name>) => boolean = () => true,
  ): Promise<EventOf<Name>> {
    for (;;) {
      const found = this.all.find((entry) => entry.name === name && matches(entry.event as EventOf<Name>));
      if (found !== undefined) return found.event;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  directMessage = (event: EventOf<'directMessage'>): void => {
    this.#add('directMessage', event);
  };
  connect = (event: EventOf<'connect'>): void => {
    this.#add('connect', event);
  };
  disconnect = (event: EventOf<'disconnect'>): void => {
    this.#add('disconnect', event);
  };
  subscribe = (event: EventOf<'subscribe'>): void => {
    this.#add('subscribe', event);
  };
  publishIn = (event: EventOf<'publishIn'>): void => {
    this.#add('publishIn', event);
  };
  unsubscribe = (event: EventOf<'unsubscribe'>): void => {
    this.#add('unsubscribe', event);
  };
  publishOut = (event: EventOf<'publishOut'>): void => {
    this.#add('publishOut', event);
  };
  operation = (event: EventOf<'operation'>): void => {
    this.#add('operation', event);
  };
}
