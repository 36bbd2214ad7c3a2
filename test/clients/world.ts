import { clientContext, type ClientContext, type ClientOptions } from '../../src/clients/context.js';
import type { Identity } from '../../src/identity/identity.js';
import { fakeAuthenticator, fakeAuthorizer, FakeEvents, type Asked } from '../exhook/fakes.js';

export const DEVICE: Identity = { protocol: 'MQTT', clientId: 'lock-17', username: 'lock', sourceIp: '10.0.0.17' };
export const SERVICE: Identity = { protocol: 'MQTT', clientId: 'tightbeam-1', username: 'tightbeam' };

/** A context of fakes. Policies allow all but what `denies` says. */
export function world(denies: (asked: Asked) => boolean = () => false, options: Partial<ClientOptions> = {}) {
  const authenticator = fakeAuthenticator();
  const authorizer = fakeAuthorizer(denies);
  const events = new FakeEvents();
  const logged: unknown[][] = [];
  const context: ClientContext = clientContext({
    authenticator,
    authorizer,
    events,
    diagnostics: (...entry) => logged.push(entry),
    serviceUsername: 'tightbeam',
    ...options,
  });
  return { authenticator, authorizer, events, logged, context };
}

/** Resolves when what is told after an answer has been told. */
export function afterwards({ afterwards: run }: ClientContext): Promise<void> {
  return new Promise((resolve) => {
    run(resolve);
  });
}

export const DENY_ALL = () => true;
