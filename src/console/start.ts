import type { FastifyInstance } from 'fastify';
import { existsSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Config } from '../config/schema.js';
import type { Authenticators } from '../http/authenticators.js';
import { DataPlane, type DataPlaneOptions } from '../http/data-plane.js';
import { readHeaders } from '../http/wire.js';
import { Ended } from '../http/rendering.js';
import type { AccessKeys } from '../identity/access-keys.js';
import type { Identity } from '../identity/identity.js';
import type { ProcessEvents } from '../observing/events.js';
import { loadTls, watchTls } from '../tls/files.js';
import { PACKAGE_ROOT, VERSION } from '../version.js';
import { SessionAuthenticator } from './authenticator.js';
import { cookieName } from './cookie.js';
import { readFrontEnd, serveFiles } from './files.js';
import { originOf, SECURITY_HEADERS, STRICT_TRANSPORT, type Place } from './guard.js';
import { addSessionRoutes } from './routes.js';
import { Seal } from './seal.js';
import { Sessions } from './session.js';
import { SignIn } from './sign-in.js';

export interface ConsoleParts {
  /** What the API's own ports have: the console's has the same operations, with its session as the credential. */
  readonly dataPlane: DataPlaneOptions;
  readonly authenticators: Authenticators;
  readonly accessKeys: AccessKeys;
  /** Of the data-plane API, for the commands that the page shows. */
  readonly endpoint: string;
  readonly principalOf: (identity: Identity) => string | undefined;
  /** Access key as which somebody with a local link is signed in. */
  readonly linkFor?: string | undefined;
  readonly events: DataPlaneOptions['events'] & ProcessEvents;
}

/** The console on its port. */
export interface Console {
  readonly port: number;
  /** A new link that signs in, once and within a minute, on this machine; undefined where there are none. */
  link(): string | undefined;
  stop(): Promise<void>;
}

const FRONT_END = join(PACKAGE_ROOT, 'dist', 'page');

/** @throws where the port cannot be listened on, the front end is not built, or the TLS files do not fit together. */
export async function startConsole(config: Config, parts: ConsoleParts): Promise<Console | undefined> {
  const { console: settings } = config;
  if (settings === undefined) return undefined;
  if (!existsSync(FRONT_END)) throw new Error(`The console is not built: ${FRONT_END} is missing. Run npm run build.`);
  const { host, tls, origins, behind, sessionSecret } = settings;
  const { accessKeys, authenticators, linkFor, events } = parts;
  const place: Place = { origins, secure: tls !== undefined || behind !== undefined, proxied: behind !== undefined };
  const now = Date.now;
  const seal = new Seal(sessionSecret);
  const sessions = new Sessions({ seal, accessKeys, jwt: authenticators.jwt, now });
  const signIn = new SignIn({
    ...{ seal, sessions, accessKeys, now },
    // A proxy is on this machine as well, and who comes through it is not.
    linkFor: behind === undefined && accessKeys.secretsOf(linkFor ?? '').length > 0 ? linkFor : undefined,
    byAccessKey: config.http.sigv4,
    jwt: authenticators.jwt,
    certificate: tls && authenticators.certificate,
  });
  let port = settings.port;
  const session = new SessionAuthenticator(sessions, place, () => cookieName(place.secure, port));
  const plane = new DataPlane({
    ...parts.dataPlane,
    authenticators: [session],
    ...(tls && { tls: loadTls(tls, 'console.tls') }),
    also: (app) => {
      guard(app, place);
      serveFiles(app, readFrontEnd(FRONT_END));
      addSessionRoutes(app, {
        ...{ sessions, signIn, place, events },
        principalOf: parts.principalOf,
        about: {
          version: VERSION,
          region: config.aws.region,
          accountId: config.aws.accountId,
          endpoint: parts.endpoint,
        },
      });
    },
  });
  port = await plane.start({ host, port });
  const watch =
    tls &&
    watchTls(tls, 'console.tls', {
      changed: (material) => {
        plane.replaceTls(material);
      },
      failed: (error) => {
        events.fault('The TLS files of the console could not be reloaded; the ones before stay in force.', error);
      },
    });
  return {
    port,
    link: () => {
      const token = signIn.link();
      return token === undefined
        ? undefined
        : `${place.secure ? 'https' : 'http'}://127.0.0.1:${port}/#/sign-in/${token}`;
    },
    stop: async () => {
      watch?.close();
      await plane.stop();
    },
  };
}

/** The console's headers with every answer, and no answer for other names than the console's. */
function guard(app: FastifyInstance, place: Place): void {
  const headers = Object.entries({ ...SECURITY_HEADERS, ...(place.secure && STRICT_TRANSPORT) });
  // Before the router, so that what is answered in whatever way has them.
  app.server.prependListener('request', (_message: IncomingMessage, response: ServerResponse) => {
    for (const [name, value] of headers) response.setHeader(name, value);
  });
  app.addHook('onRequest', (request, _reply, done) => {
    const head = { method: request.method, headers: readHeaders(request.raw) };
    const known = originOf(head, place) !== undefined;
    const details = 'The console does not answer to the name in Host; console.origins lists those it has.';
    done(known ? undefined : new Ended({ reason: 'INVALID_REQUEST', details }));
  });
}
