import type { Config } from '../config/schema.js';
import type { StatusReport } from '../observing/status.js';
import type { Telemetry } from '../telemetry/telemetry.js';
import type { ProcessEvents } from '../observing/events.js';
import { CallerThrottle } from '../throttling/caller-throttle.js';
import { loadTls, watchTls } from '../tls/files.js';
import { inOrder, type Authenticators } from './authenticators.js';
import { DataPlane, type DataPlaneOptions } from './data-plane.js';
import type { Operation } from './operation.js';

export interface DataPlaneParts {
  readonly operations: readonly Operation[];
  readonly authenticators: Authenticators;
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

/** What every port of the API has, each limit of callers counted over all of them. */
export function dataPlaneOptions(config: Config, parts: DataPlaneParts): DataPlaneOptions {
  const { tls, requestTimeoutMs } = config.http;
  const { events, tracing } = parts.telemetry;
  const { perCaller, global } = config.limits.rates;
  return {
    operations: parts.operations,
    authenticators: inOrder(parts.authenticators, tls !== undefined),
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
}

/** @throws where a port cannot be listened on, or the TLS files do not fit together. */
export async function startDataPlanes(
  config: Config,
  common: DataPlaneOptions,
  events: ProcessEvents,
): Promise<DataPlanes> {
  const { host, port, tls } = config.http;
  const closes: (() => void)[] = [];
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
