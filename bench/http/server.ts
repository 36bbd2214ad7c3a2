/**
 * A process of its own: data planes that differ in how they authenticate, and in nothing else. What is behind them
 * validates and authorizes as ever, and delivers to nobody.
 */
import { createLocalJWKSet, type JSONWebKeySet } from 'jose';
import { once } from 'node:events';
import { DEFAULT_LIMITS } from '../../src/direct/limits.js';
import { DirectMessaging } from '../../src/direct/send.js';
import { DataPlane } from '../../src/http/data-plane.js';
import { sendDirectMessage } from '../../src/http/operations/send-direct-message.js';
import type { MutualTlsMaterial } from '../../src/http/tls.js';
import type { CallerAuthenticator } from '../../src/identity/caller.js';
import { CertificateAuthenticator } from '../../src/identity/certificates.js';
import { JWT_ALGORITHMS, JwtAuthenticator } from '../../src/identity/jwt.js';
import { SigV4Authenticator } from '../../src/identity/sigv4/authenticator.js';
import { noTracing } from '../../src/observing/tracing.js';
import { fakeAuthorizer } from '../../test/exhook/fakes.js';
import { noEvents } from '../rig/no-events.js';
import type { Given, HttpPorts } from './protocol.js';

const [{ accessKey, tls, jwks, issuer }] = (await once(process, 'message')) as [Given];
const now = (): number => Date.now();
const messaging = new DirectMessaging({
  authorizer: fakeAuthorizer(),
  delivery: {
    deliver: () => Promise.resolve({ reason: 'DELIVERED', written: 'yes' }),
    connected: () => Promise.resolve('connected'),
  },
  events: noEvents,
  limits: DEFAULT_LIMITS,
  clock: () => performance.now(),
});

/** Lets everybody in. Only here: the service has no such thing. */
const nobody: CallerAuthenticator = {
  scheme: 'none',
  authenticate: ({ peer }) => Promise.resolve({ ok: true, identity: peer }),
};
const sigv4 = new SigV4Authenticator({
  accessKeys: { secretsOf: (id) => (id === accessKey.accessKeyId ? [accessKey.secretAccessKey] : []) },
  region: 'us-east-1',
  now,
});
const keys = createLocalJWKSet(jwks as JSONWebKeySet);
const jwt = new JwtAuthenticator({ issuer, audience: 'tightbeam', algorithms: JWT_ALGORITHMS, keys, now });

const servers: DataPlane[] = [];
async function start(authenticator: CallerAuthenticator, material?: MutualTlsMaterial): Promise<number> {
  const server = new DataPlane({
    operations: [sendDirectMessage(messaging)],
    authenticators: [authenticator],
    events: noEvents,
    tracing: noTracing,
    payloadBytes: DEFAULT_LIMITS.payloadBytes,
    ...(material && { tls: material }),
  });
  servers.push(server);
  return server.start({ host: '127.0.0.1', port: 0 });
}

const ports: HttpPorts = {
  nobody: await start(nobody),
  sigv4: await start(sigv4),
  jwt: await start(jwt),
  nobodyOverTls: await start(nobody, tls),
  mutualTls: await start(new CertificateAuthenticator(), tls),
};
process.once('disconnect', () => {
  void Promise.all(servers.map((server) => server.stop())).then(() => process.exit(0));
});
// Whatever it is asked, it answers how many microseconds of CPU it has used so far.
process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send?.(user + system);
});
process.send?.(ports);
