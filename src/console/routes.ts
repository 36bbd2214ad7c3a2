import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { isIP } from 'node:net';
import type { CallerRequest } from '../identity/caller.js';
import type { Identity } from '../identity/identity.js';
import { retryAfter, type Answer } from '../http/rendering.js';
import { send } from '../http/reply.js';
import { headOf } from '../http/wire.js';
import type { Events } from '../observing/events.js';
import { cookieName, readCookie, writeCookie } from './cookie.js';
import { isOfPage, originOf, type Place } from './guard.js';
import type { Sessions } from './session.js';
import { readAttempt, type SignIn } from './sign-in.js';

export interface SessionRoutes {
  readonly sessions: Sessions;
  readonly signIn: SignIn;
  readonly place: Place;
  readonly events: Events;
  /** Who the signed-in caller is to the policies. */
  readonly principalOf: (identity: Identity) => string | undefined;
  /** What the page shows of the service, and is no secret. */
  readonly about: Readonly<Record<string, unknown>>;
}

export const SESSION_PATH = '/console/session';

/** Signing in and out: the only resources that the console has for itself. */
export function addSessionRoutes(app: FastifyInstance, routes: SessionRoutes): void {
  const { sessions, signIn, place, events, principalOf, about } = routes;
  const nameFor = ({ socket }: FastifyRequest): string => cookieName(place.secure, socket.localPort);

  /** Sends what only the page may read. */
  const answer = (request: FastifyRequest, reply: FastifyReply, value: Answer): FastifyReply => {
    void reply.header('cache-control', 'no-store');
    return send(reply, value, request.id);
  };
  const notOfPage = { reason: 'INVALID_CREDENTIALS' } as const;

  app.get('/console/challenge', (request, reply) => {
    if (!isOfPage(requestOf(request, place), place)) return answer(request, reply, notOfPage);
    return answer(request, reply, { result: { challenge: signIn.challenge() } });
  });

  app.get(SESSION_PATH, async (request, reply) => {
    const asked = requestOf(request, place);
    if (!isOfPage(asked, place)) return answer(request, reply, notOfPage);
    const cookie = readCookie(asked.headers, nameFor(request));
    const session = cookie === undefined ? undefined : sessions.read(cookie);
    const verdict = session && (await sessions.identify(session, asked));
    const state =
      session === undefined || verdict?.ok !== true
        ? { signedIn: false, ways: signIn.ways }
        : {
            signedIn: true,
            way: session.basis.way,
            principalId: principalOf(verdict.identity),
            name:
              verdict.identity.accessKeyId ?? verdict.identity.jwtSubject ?? verdict.identity.certificate?.commonName,
            endsAt: new Date(session.endsAt).toISOString(),
          };
    return answer(request, reply, { result: { ...state, about } });
  });

  app.post(SESSION_PATH, async (request, reply) => {
    const asked = requestOf(request, place);
    const origin = originOf(asked, place);
    if (origin === undefined || !isOfPage(asked, place)) return answer(request, reply, notOfPage);
    const attempt = readAttempt(parse(asked.body));
    if (attempt === undefined) {
      return answer(request, reply, { reason: 'INVALID_REQUEST', details: 'The body is no attempt to sign in.' });
    }
    const signedIn = await signIn.attempt(attempt, asked, origin);
    const began = signedIn.ok ? sessions.begin(signedIn.basis) : undefined;
    const identity = signedIn.ok ? signedIn.identity : asked.peer;
    const traceId = request.id;
    if (!signedIn.ok) {
      const { reason, details, retryAfterMs } = signedIn;
      events.tell('SignIn', { traceId, identity, reason, details: `${attempt.way}: ${details}` });
      const headers = retryAfterMs === undefined ? undefined : retryAfter(retryAfterMs);
      return answer(request, reply, { reason, headers });
    }
    if (began === undefined) {
      const details = 'The token is too long for a session of the console: issue one with fewer claims.';
      events.tell('SignIn', { traceId, identity, reason: 'INVALID_REQUEST', details });
      return answer(request, reply, { reason: 'INVALID_REQUEST', details });
    }
    events.tell('SignIn', { traceId, identity, details: attempt.way });
    void reply.header('set-cookie', writeCookie(nameFor(request), began.cookie, place.secure));
    return answer(request, reply, { result: { endsAt: new Date(began.session.endsAt).toISOString() } });
  });

  app.delete(SESSION_PATH, (request, reply) => {
    const asked = requestOf(request, place);
    if (!isOfPage(asked, place)) return answer(request, reply, notOfPage);
    const cookie = readCookie(asked.headers, nameFor(request));
    const session = cookie === undefined ? undefined : sessions.read(cookie);
    if (session !== undefined) sessions.end(session);
    void reply.header('set-cookie', writeCookie(nameFor(request), '', place.secure));
    return answer(request, reply, { result: {} });
  });
}

function requestOf(request: FastifyRequest, { proxied }: Place): CallerRequest {
  const head = headOf(request);
  // The last one is what the proxy has added; those before it are anybody's word.
  const told = proxied ? head.headers.get('x-forwarded-for')?.at(-1)?.split(',').at(-1)?.trim() : undefined;
  const peer = told === undefined || isIP(told) === 0 ? head.peer : { ...head.peer, sourceIp: told };
  return { ...head, peer, body: (request.body as Buffer | undefined) ?? Buffer.alloc(0) };
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString('utf8')) as unknown;
  } catch {
    return undefined;
  }
}
