/** The process environment, or a part of it. */
export type Environment = Readonly<Record<string, string | undefined>>;
export type Signal = 'traces' | 'metrics';

const PROTOCOLS = ['grpc', 'http/protobuf', 'http/json'] as const;
export type OtlpProtocol = (typeof PROTOCOLS)[number];

const EXPORTERS = ['otlp', 'console'] as const;
export type ExporterName = (typeof EXPORTERS)[number];

/** Whether traces are wanted: an exporter or an endpoint is named. (The SDK's own default would be to export always.) */
export function tracesWanted(env: Environment): boolean {
  if (env['OTEL_SDK_DISABLED']?.toLowerCase() === 'true') return false;
  return exporterNames('traces', env).length > 0;
}

/**
 * The exporters named by OTEL_TRACES_EXPORTER or OTEL_METRICS_EXPORTER, without `none` and without `prometheus`, which
 * is this service's own to serve. Where none is named, traces go to OTLP if an OTLP endpoint is.
 *
 * @throws Error for a name that is not known: to export nothing in silence would be worse.
 */
export function exporterNames(signal: Signal, env: Environment): ExporterName[] {
  const variable = `OTEL_${signal.toUpperCase()}_EXPORTER`;
  const text = env[variable]?.trim() ?? '';
  if (text === '') {
    const endpoint = env[`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`];
    const general = signal === 'traces' ? env['OTEL_EXPORTER_OTLP_ENDPOINT'] : undefined;
    return (endpoint ?? '') !== '' || (general ?? '') !== '' ? ['otlp'] : [];
  }
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== 'none' && !(signal === 'metrics' && name === 'prometheus'))
    .map((name) => oneOf(EXPORTERS, name, variable));
}

/** OTEL_EXPORTER_OTLP_TRACES_PROTOCOL or OTEL_EXPORTER_OTLP_PROTOCOL. @throws Error for an unknown protocol. */
export function tracesProtocol(env: Environment): OtlpProtocol {
  return protocol('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', env);
}

/** OTEL_EXPORTER_OTLP_METRICS_PROTOCOL or OTEL_EXPORTER_OTLP_PROTOCOL. @throws Error for an unknown protocol. */
export function metricsProtocol(env: Environment): OtlpProtocol {
  return protocol('OTEL_EXPORTER_OTLP_METRICS_PROTOCOL', env);
}

function protocol(variable: string, env: Environment): OtlpProtocol {
  const general = 'OTEL_EXPORTER_OTLP_PROTOCOL';
  const own = env[variable] ?? '';
  if (own !== '') return oneOf(PROTOCOLS, own, variable);
  return oneOf(PROTOCOLS, env[general] === undefined || env[general] === '' ? 'http/protobuf' : env[general], general);
}

function oneOf<T extends string>(known: readonly T[], name: string, variable: string): T {
  const found = known.find((other) => other === name);
  if (found === undefined) throw new Error(`${variable}: ${JSON.stringify(name)} is none of ${known.join(', ')}.`);
  return found;
}
