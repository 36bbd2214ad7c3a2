import type { DirectDelivery } from '../direct/delivery.js';
import type { Authorizer } from '../policy/authorizer.js';
import type { StatementUse } from '../policy/usage.js';
import { createAdminServer } from './admin-server.js';
import type { Diagnostics } from '../observing/diagnostics.js';
import type { Events, ProcessEvents, Traffic } from '../observing/events.js';
import { createFanOut } from './fan-out.js';
import { createEventLog, type EventLogOptions } from './log/event-log.js';
import type { LogFilterOptions } from './log/levels.js';
import { measureAuthorizer, measureDelivery, measureTracing } from './measured.js';
import { createHistograms } from './metrics/histograms.js';
import { createMetrics, type Metrics } from './metrics/metrics.js';
import { tracesWanted, type Environment } from './otel/environment.js';
import { onSdkError, startMeters, startTraces, type Meters } from './otel/sdk.js';
import { createOtelTracing } from './otel/tracing.js';
import { RecentEvents } from '../observing/recent.js';
import { HourStatistics, type HourReport } from '../observing/statistics.js';
import { ServiceStatus, type StatusReport } from '../observing/status.js';
import { noTracing, type Tracing } from '../observing/tracing.js';

export interface TelemetryOptions {
  /** Version of the service, for resource and instrumentation scope. */
  readonly version: string;
  readonly log: Omit<EventLogOptions, 'tap'>;
  /** Default: on where an exporter or an OTLP endpoint is named in the environment. */
  readonly traces?: boolean;
  /** Default true. Off: nothing is counted, and `/metrics` is not there. */
  readonly metrics?: boolean;
  /** Bearer token that opens `/events` to other machines. */
  readonly tailToken?: string;
  /** How often each statement of the policies has decided, for metrics and `GET /policy/usage`. */
  readonly usage?: () => readonly StatementUse[];
  /** OTEL_* variables. The exporters and the sampler read the process's own, so this is for choosing them only. */
  readonly env?: Environment;
}

/** Log, traces and metrics of one service. */
export interface Telemetry {
  readonly events: Events & ProcessEvents;
  readonly tracing: Tracing;
  readonly diagnostics: Diagnostics;
  /** The latest events, and those to come. */
  readonly recent: RecentEvents;
  /** What the events tell of how the service is. */
  readonly status: () => StatusReport;
  /** What they tell of the last hour. */
  readonly statistics: () => HourReport;
  /** What `GET /status` answers; before, nothing. */
  tellStatus(status: () => object): void;
  /** Other levels and another share of successes from now on. */
  replaceLogFilter(filter: LogFilterOptions): void;
  /** Counts what a broker has counted. */
  readonly traffic: (counted: Traffic) => void;
  /** The same authorizer, measured. */
  authorizer(authorizer: Authorizer): Authorizer;
  /** The same delivery, measured. */
  delivery(delivery: DirectDelivery): DirectDelivery;
  /** Serves `/metrics` and `/events`, and answers the port. Rejects where it cannot listen. */
  listen(address: { readonly host: string; readonly port: number }): Promise<number>;
  /** Writes and exports what is left, then ends. Takes a few seconds at the most; never rejects. */
  close(): Promise<void>;
}

/** @throws Error where the environment names an exporter or protocol that there is not. */
export async function createTelemetry(options: TelemetryOptions): Promise<Telemetry> {
  const env = options.env ?? process.env;
  const recent = new RecentEvents();
  const log = createEventLog({ ...options.log, tap: recent });
  const traces = (options.traces ?? tracesWanted(env)) ? await startTraces(options.version, env) : undefined;
  const counted = (options.metrics ?? true) ? await startCounting(options.version, env, log, options.usage) : undefined;
  const metrics = counted?.metrics;

  const told = new ServiceStatus(Date.now);
  const hour = new HourStatistics(Date.now);
  let tellStatus: (() => object) | undefined;
  const fanOut = createFanOut([log, told, hour, ...(metrics ? [metrics] : [])], (error) => {
    log.fault('An event could not be recorded.', error);
  });
  const events: Events & ProcessEvents = {
    tell: (type, event) => {
      fanOut.tell(type, event);
    },
    lifecycle: (msg, fields) => {
      fanOut.later(() => {
        log.lifecycle(msg, fields);
      });
    },
    fault: (msg, error) => {
      fanOut.later(() => {
        log.fault(msg, error);
      });
    },
  };
  if (traces !== undefined || counted !== undefined) onSdkError(rarely(events));

  const tracing = traces === undefined ? noTracing : createOtelTracing(traces);
  const server = createAdminServer({
    recent,
    status: () => tellStatus?.() ?? {},
    ...(options.usage && { usage: options.usage }),
    ...(counted && { metrics: counted.answer }),
    ...(options.tailToken === undefined ? {} : { tailToken: options.tailToken }),
  });
  let listening = false;
  return {
    events,
    diagnostics: log.diagnostics,
    recent,
    status: () => told.report(),
    statistics: () => hour.report(),
    tellStatus: (status) => {
      tellStatus = status;
    },
    replaceLogFilter: (filter) => {
      log.replaceFilter(filter);
    },
    traffic: (counted) => metrics?.traffic(counted),
    tracing: metrics ? measureTracing(tracing, metrics) : tracing,
    authorizer: (authorizer) => (metrics ? measureAuthorizer(authorizer, metrics) : authorizer),
    delivery: (delivery) => (metrics ? measureDelivery(delivery, metrics) : delivery),
    async listen(address) {
      const port = await server.start(address);
      listening = true;
      return port;
    },
    async close() {
      fanOut.flush();
      if (listening) await server.stop();
      for (const ended of await Promise.allSettled([traces?.close(), counted?.close()])) {
        if (ended.status === 'rejected') log.fault('OpenTelemetry could not export what was left.', ended.reason);
      }
      fanOut.flush();
      await log.close();
    },
  };
}

interface Counting extends Pick<Meters, 'answer' | 'close'> {
  readonly metrics: Metrics;
}

async function startCounting(
  version: string,
  env: Environment,
  log: { readonly dropped: number },
  usage?: () => readonly StatementUse[],
): Promise<Counting> {
  const histograms = createHistograms();
  const meters = await startMeters(version, env, Object.values(histograms));
  const metrics = createMetrics({ meter: meters.meter, histograms, log, ...(usage && { usage }) });
  return {
    metrics,
    answer: (request, response) => {
      meters.answer(request, response);
    },
    async close() {
      metrics.close();
      await meters.close();
    },
  };
}

/** An export that fails, fails often: one line in ten seconds says so. */
const RARELY_MS = 10_000;

function rarely({ fault }: Pick<ProcessEvents, 'fault'>): (message: string) => void {
  let last = -Infinity;
  return (message) => {
    if (performance.now() - last < RARELY_MS) return;
    last = performance.now();
    fault('OpenTelemetry reports a problem.', message);
  };
}
