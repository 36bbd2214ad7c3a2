import type { Config } from '../config/schema.js';
import type { AccessKeys } from '../identity/access-keys.js';
import type { CallerAuthenticator } from '../identity/caller.js';
import { CertificateAuthenticator } from '../identity/certificates.js';
import { fileKeys, remoteKeys } from '../identity/jwks.js';
import { JwtAuthenticator } from '../identity/jwt.js';
import { SigV4Authenticator } from '../identity/sigv4/authenticator.js';
import type { ProcessEvents } from '../observing/events.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import { CallerThrottle } from '../throttling/caller-throttle.js';
import { loadTls, watchTls } from '../tls/files.js';
import { DataPlane, type DataPlaneOptions } from './data-plane.js';
import type { Operation } from './operation.js';

export interface DataPlaneParts {
  readonly operations: readonly Operation[];
  readonly accessKeys: AccessKeys;
  readonly telemetry: Pick<Telemetry, 'events' | 'tracing'>;
  readonly ready: () => boolean;
}

/** The API on its ports: plain HTTP, and HTTPS with client certificates where that is configured. */
export interface DataPlanes {
  readonly http: number;
  readonly https?: number;
  stop(): Promise<void>;
}

/** @throws where a port cannot be listened on, or the TLS files do not fit together. */
export async function startDataPlanes(config: Config, parts: DataPlaneParts): Promise<DataPlanes> {
  const { host, port, tls, requestTimeoutMs } = config.http;
  const { events, tracing } = parts.telemetry;
  const { perCaller, global } = config.limits.rates;
  const common: DataPlaneOptions = {
    operations: parts.operations,
    authenticators: authenticatorsOf(config, parts.accessKeys, events),
    throttle: new CallerThrottle({ ...(perCaller && { perCaller }), ...(global && { global }) }, () =>
      performance.now(),
    ),
    events,
    tracing,
    payloadBytes: config.limits.payloadBytes,
    timeouts: { requestMs: requestTimeoutMs, headersMs: requestTimeoutMs, idleMs: requestTimeoutMs },
    ready: parts.ready,
  };
  const plain = new DataPlane(common);
  const http = await plain.start({ host, port });
  if (tls === undefined) return { http, stop: () => plain.stop() };

  try {
    const { port: tlsPort, ...files } = tls;
    const secure = new DataPlane({ ...common, tls: loadTls(files, 'http.tls') });
    const https = await secure.start({ host, port: tlsPort });
    const watch = watchTls(files, 'http.tls', {
      changed: (material) => {
        secure.replaceTls(material);
      },
      failed: (error) => {
        events.fault('The TLS files could not be reloaded; the ones before stay in force.', error);
      },
    });
    return {
      http,
      https,
      stop: async () => {
        watch.close();
        await Promise.all([plain.stop(), secure.stop()]);
      },
    };
  } catch (error) {
    await plain.stop();
    throw error;
  }
}

/** Side by side. What a request shows decides which is asked; there is none that asks for nothing. */
function authenticatorsOf(
  config: Config,
  accessKeys: AccessKeys,
  { fault }: Pick<ProcessEvents, 'fault'>,
): CallerAuthenticator[] {
  const { aws, http, jwt } = config;
  const authenticators: CallerAuthenticator[] = [];
  if (http.sigv4) authenticators.push(new SigV4Authenticator({ accessKeys, region: aws.region, now: Date.now }));
  if (jwt !== undefined) {
    const { jwksUrl, jwksFile, ...options } = jwt;
    const keys =
      jwksUrl === undefined
        ? fileKeys(jwksFile ?? '', Date.now)
        : remoteKeys(
            new URL(jwksUrl),
            () => performance.now(),
            (error) => {
              fault('The keys of the issuer of tokens cannot be fetched; those fetched last serve for an hour.', error);
            },
          );
    authenticators.push(new JwtAuthenticator({ ...options, keys, now: Date.now }));
  }
  // Last: a certificate accompanies every request on its connection, other credentials belong to the request.
  if (http.tls !== undefined) authenticators.push(new CertificateAuthenticator());
  return authenticators;
}
