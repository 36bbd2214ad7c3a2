import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
  type ReadableSpan,
  type Sampler,
} from '@opentelemetry/sdk-trace-base';
import { PresetIds } from '../../src/telemetry/otel/preset-ids.js';
import { createOtelTracing } from '../../src/telemetry/otel/tracing.js';
import type { Tracing } from '../../src/observing/tracing.js';

/** Tracing whose spans stay in memory. */
export function recordSpans(sampler?: Sampler): { tracing: Tracing; spans: () => ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  const ids = new PresetIds();
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler && { sampler }),
  });
  return {
    tracing: createOtelTracing({ tracer: provider.getTracer('test'), ids }),
    spans: () => exporter.getFinishedSpans(),
  };
}
