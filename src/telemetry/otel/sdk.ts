import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { diag, DiagLogLevel, type Meter, type Tracer } from '@opentelemetry/api';
import type { Resource } from '@opentelemetry/resources';
import type { IMetricReader, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { SpanExporter } from '@opentelemetry/sdk-trace-base';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { exporterNames, metricsProtocol, tracesProtocol, type Environment, type OtlpProtocol } from './environment.js';
import type { Histogram } from '../metrics/histograms.js';
import { PresetIds } from './preset-ids.js';
import { SEMCONV_SCHEMA_URL } from './conventions.js';

/*
 * The SDK's parts for traces and metrics, put together here. The bundle `@opentelemetry/sdk-node` is not used: it
 * registers globals (two services cannot share a process, as tests do) and brings exporters that nobody asked for: loading
 * NodeSDK 0.223.0 takes 24 MB and 430 ms of CPU, the three packages that it would save 14 MB and 250 ms (run on Node 20.20),
 * and they are needed beside it. Everything is imported when it is needed: what is off is not even loaded.
 */

/** Name of the instrumentation scope of every span and metric. */
const SCOPE = 'tightbeam';
/** How long an end waits for an exporter whose receiver does not answer. */
const SHUTDOWN_MS = 3_000;

export interface Traces {
  readonly tracer: Tracer;
  readonly ids: PresetIds;
  /** Exports what is left. Rejects where that fails. */
  close(): Promise<void>;
}

/** Starts the tracer with the exporters that `OTEL_TRACES_EXPORTER` names. Sampler, limits and batches: OTEL_* too. */
export async function startTraces(version: string, env: Environment): Promise<Traces> {
  const { BasicTracerProvider, BatchSpanProcessor, ConsoleSpanExporter } =
    await import('@opentelemetry/sdk-trace-base');
  const exporters: SpanExporter[] = [];
  for (const name of exporterNames('traces', env)) {
    exporters.push(name === 'console' ? new ConsoleSpanExporter() : await otlpSpanExporter(tracesProtocol(env)));
  }
  const ids = new PresetIds();
  const provider = new BasicTracerProvider({
    resource: await resource(version),
    idGenerator: ids,
    spanProcessors: exporters.map((exporter) => new BatchSpanProcessor(exporter)),
  });
  return {
    tracer: provider.getTracer(SCOPE, version, { schemaUrl: SEMCONV_SCHEMA_URL }),
    ids,
    close: () => within(SHUTDOWN_MS, provider.shutdown()),
  };
}

export interface Meters {
  readonly meter: Meter;
  /** Answers a scrape of Prometheus. */
  answer(request: IncomingMessage, response: ServerResponse): void;
  /** Exports what is left. Rejects where that fails. */
  close(): Promise<void>;
}

/** Starts the meter for Prometheus, and with the exporters that `OTEL_METRICS_EXPORTER` names. */
export async function startMeters(
  version: string,
  env: Environment,
  histograms: readonly Histogram[],
): Promise<Meters> {
  const { ConsoleMetricExporter, InstrumentType, MeterProvider, PeriodicExportingMetricReader } =
    await import('@opentelemetry/sdk-metrics');
  const { PrometheusExporter } = await import('@opentelemetry/exporter-prometheus');
  const { HistogramProducer } = await import('./histogram-producer.js');
  const scope = { name: SCOPE, version, schemaUrl: SEMCONV_SCHEMA_URL };

  const prometheus = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    metricProducers: [new HistogramProducer(scope, histograms)],
  });
  const readers: IMetricReader[] = [prometheus];
  for (const name of exporterNames('metrics', env)) {
    const exporter: PushMetricExporter =
      name === 'console' ? new ConsoleMetricExporter() : await otlpMetricExporter(metricsProtocol(env));
    const temporality = exporter.selectAggregationTemporality?.(InstrumentType.HISTOGRAM);
    const metricProducers = [new HistogramProducer(scope, histograms, temporality)];
    readers.push(new PeriodicExportingMetricReader({ exporter, metricProducers, ...metricInterval(env) }));
  }
  const provider = new MeterProvider({ resource: await resource(version), readers });
  return {
    meter: provider.getMeter(SCOPE, version, { schemaUrl: SEMCONV_SCHEMA_URL }),
    answer: (request, response) => {
      prometheus.getMetricsRequestHandler(request, response);
    },
    close: () => within(SHUTDOWN_MS, provider.shutdown()),
  };
}

/** Tells of exports that fail and the like; the SDK itself is silent. One logger a process: the API has no other way. */
export function onSdkError(report: (message: string) => void): void {
  const quiet = (): void => undefined;
  const logger = { error: report, warn: report, info: quiet, debug: quiet, verbose: quiet };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

async function resource(version: string): Promise<Resource> {
  const { defaultResource, detectResources, envDetector, resourceFromAttributes } =
    await import('@opentelemetry/resources');
  // What the environment names (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) comes last: the last one wins.
  return defaultResource()
    .merge(
      resourceFromAttributes({
        [ATTR_SERVICE_NAME]: 'tightbeam',
        [ATTR_SERVICE_VERSION]: version,
        [ATTR_SERVICE_INSTANCE_ID]: randomUUID(),
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
}

async function otlpSpanExporter(protocol: OtlpProtocol): Promise<SpanExporter> {
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-trace-otlp-grpc')).OTLPTraceExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-trace-otlp-http')).OTLPTraceExporter();
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-trace-otlp-proto')).OTLPTraceExporter();
  }
}

async function otlpMetricExporter(protocol: OtlpProtocol): Promise<PushMetricExporter> {
  switch (protocol) {
    case 'grpc':
      return new (await import('@opentelemetry/exporter-metrics-otlp-grpc')).OTLPMetricExporter();
    case 'http/json':
      return new (await import('@opentelemetry/exporter-metrics-otlp-http')).OTLPMetricExporter();
    case 'http/protobuf':
      return new (await import('@opentelemetry/exporter-metrics-otlp-proto')).OTLPMetricExporter();
  }
}

/** The reader knows no environment variables of its own. An export may not take longer than the interval. */
function metricInterval(env: Environment): { exportIntervalMillis: number; exportTimeoutMillis: number } {
  const exportIntervalMillis = Number(env['OTEL_METRIC_EXPORT_INTERVAL'] ?? 60_000);
  const timeout = Number(env['OTEL_METRIC_EXPORT_TIMEOUT'] ?? 30_000);
  return { exportIntervalMillis, exportTimeoutMillis: Math.min(timeout, exportIntervalMillis) };
}

/** Waits for the end of something, but not for ever. */
async function within(milliseconds: number, end: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  try {
    await Promise.race([end, late]);
  } finally {
    clearTimeout(timer);
  }
}
