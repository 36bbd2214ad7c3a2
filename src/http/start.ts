import type { Config } from '../config/schema.js';
import type { AccessKeys } from '../identity/access-keys.js';
import type { CallerAuthenticator } from '../identity/caller.js';
import { CertificateAuthenticator } from '../identity/certificates.js';
import { remoteKeys } from '../identity/jwks.js';
import { JwtAuthenticator, type JwtOptions } from '../identity/jwt.js';
import { KeyFile } from '../identity/key-file.js';
import { SigV4Authenticator } from '../identity/sigv4/authenticator.js';
import type { ProcessEvents } from '../observing/events.js';
import type { StatusReport } from '../observing/status.js';
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
  /** Whether policies are in shadow for anybody. */
  readonly shadow: () => boolean;
  readonly status: () => StatusReport;
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
  const closes: (() => void)[] = [];
  const common: DataPlaneOptions = {
    operations: parts.operations,
    authenticators: authenticatorsOf(config, parts.accessKeys, events, closes),
    throttle: new CallerThrottle({ ...(perCaller && { perCaller }), ...(global && { global }) }, () =>
      performance.now(),
    ),
    events,
    tracing,
    payloadBytes: config.limits.payloadBytes,
    timeouts: { requestMs: requestTimeoutMs, headersMs: requestTimeoutMs, idleMs: requestTimeoutMs },
    ready: parts.ready,
    shadow: parts.shadow,
    status: parts.status,
  };
  const stop = async (): Promise<void> => {
    for (const close of closes) close();
    await Promise.all(planes.map((plane) => plane.stop()));
  };
  const planes: DataPlane[] = [];
  const start = (plane: DataPlane, at: number): Promise<number> => {
    planes.push(plane);
    return plane.start({ host, port: at });
  };
  try {
    const http = await start(new DataPlane(common), port);
    if (tls === undefined) return { http, stop };
    const { port: tlsPort, ...files } = tls;
    const secure = new DataPlane({ ...common, tls: loadTls(files, 'http.tls') });
    const https = await start(secure, tlsPort);
    const watch = watchTls(files, 'http.tls', {
      changed: (material) => {
        secure.replaceTls(material);
      },
      failed: (error) => {
        events.fault('The TLS files could not be reloaded; the ones before stay in force.', error);
      },
    });
    closes.push(() => {
      watch.close();
    });
    return { http, https, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Side by side. What a request shows decides which is asked; there is none that asks for nothing. */
function authenticatorsOf(
  config: Config,
  accessKeys: AccessKeys,
  { fault }: Pick<ProcessEvents, 'fault'>,
  closes: (() => void)[],
): CallerAuthenticator[] {
  const { aws, http, jwt } = config;
  const authenticators: CallerAuthenticator[] = [];
  if (http.sigv4) authenticators.push(new SigV4Authenticator({ accessKeys, region: aws.region, now: Date.now }));
  if (jwt !== undefined) {
    const { jwksUrl, jwksFile = '', ...options } = jwt;
    const keys = jwksUrl === undefined ? keysOfFile(jwksFile, fault, closes) : keysOfUrl(jwksUrl, fault);
    authenticators.push(new JwtAuthenticator({ ...options, keys, now: Date.now }));
  }
  // Last: a certificate accompanies every request on its connection, other credentials belong to the request.
  if (http.tls !== undefined) authenticators.push(new CertificateAuthenticator());
  return authenticators;
}

type Keys = JwtOptions['keys'];

function keysOfFile(file: string, fault: ProcessEvents['fault'], closes: (() => void)[]): Keys {
  const keys = new KeyFile(file, (error) => {
    fault('The keys of the issuer of tokens could not be read; the ones before, if any, stay in force.', error);
  });
  keys.watch();
  closes.push(() => {
    keys.close();
  });
  return keys.get;
}

function keysOfUrl(url: string, fault: ProcessEvents['fault']): Keys {
  return remoteKeys(
    new URL(url),
    () => performance.now(),
    (error) => {
      fault('The keys of the issuer of tokens cannot be fetched; those fetched last serve for an hour.', error);
    },
  );
}
