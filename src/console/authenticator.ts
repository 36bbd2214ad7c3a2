import type { CallerAuthenticator, CallerRequest, CallerVerdict } from '../identity/caller.js';
import { readCookie } from './cookie.js';
import { isOfPage, type Place } from './guard.js';
import type { Sessions } from './session.js';

/**
 * The session of the console as a credential: it makes a request of the page one of the caller who signed in. Everything
 * after it (policies, limits, events) is the API's.
 */
export class SessionAuthenticator implements CallerAuthenticator {
  readonly scheme = 'console session';

  /** @param name of the cookie, which has the port, and so is known once the console listens */
  constructor(
    private readonly sessions: Sessions,
    private readonly place: Place,
    private readonly name: () => string,
  ) {}

  authenticate(request: CallerRequest): Promise<CallerVerdict> | undefined {
    const cookie = readCookie(request.headers, this.name());
    if (cookie === undefined) return undefined;
    if (!isOfPage(request, this.place)) {
      const details = 'The request has a session, and does not come from the page of the console.';
      return Promise.resolve({ ok: false, reason: 'INVALID_CREDENTIALS', details });
    }
    const session = this.sessions.read(cookie);
    if (session !== undefined) return this.sessions.identify(session, request);
    return Promise.resolve({ ok: false, reason: 'INVALID_CREDENTIALS', details: 'The session has ended.' });
  }
}
