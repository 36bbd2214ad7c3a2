import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { exporterNames, tracesProtocol, tracesWanted } from '../../src/telemetry/otel/environment.js';
import { createTelemetry } from '../../src/telemetry/telemetry.js';
import { captureLog } from './capture.js';
import { withEnvironment } from './environment.js';
import { OtlpReceiver } from './otlp-receiver.js';
import { delivered, TRACE_ID } from './samples.js';

/** One request and one event, exported. */
async function exportOnce(env: Record<string, string>): Promise<void> {
  await withEnvironment(env, async () => {
    const telemetry = await createTelemetry({ version: '1.2.3', log: { accountId: '0', destination: captureLog() } });
    const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
    const span = telemetry.tracing.request({ method: 'POST', path: '/', scheme: 'http', traceparent });
    telemetry.events.tell('SendDirectMessage', delivered());
    span.end({ status: 200, reason: 'DELIVERED' });
    await telemetry.close();
  });
}

describe('OTLP over HTTP', () => {
  const receiver = new OtlpReceiver();
  let endpoint: string;
  beforeEach(async () => {
    receiver.exports.length = 0;
    endpoint = await receiver.start();
  });
  afterEach(() => receiver.stop());

  it('carries spans, with the resource that the environment names', async () => {
    await exportOnce({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
    });
    expect(receiver.spans).toHaveLength(1);
    expect(receiver.spans[0]).toMatchObject({ traceId: TRACE_ID, attributes: { 'tightbeam.reason': 'DELIVERED' } });
    expect(receiver.spans[0]?.resource).toMatchObject({
      'service.name': 'tightbeam',
      'service.version': '1.2.3',
      'deployment.environment.name': 'test',
    });
  });

  it('carries protobuf by default', async () => {
    await exportOnce({ OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'lock-backend' });
    const [received] = receiver.exports;
    expect(received).toMatchObject({ path: '/v1/traces', contentType: 'application/x-protobuf' });
    expect(received?.body.includes(Buffer.from(TRACE_ID, 'hex'))).toBe(true);
    expect(received?.body.includes('lock-backend')).toBe(true);
  });

  it('carries metrics where that is asked for', async () => {
    await exportOnce({
      OTEL_TRACES_EXPORTER: 'none',
      OTEL_METRICS_EXPORTER: 'otlp',
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/json',
    });
    expect(new Set(receiver.exports.map(({ path }) => path))).toEqual(new Set(['/v1/metrics']));
    expect(receiver.exports[0]?.body.toString()).toContain('tightbeam.direct_message.duration');
  });

  it('exports only what the sampler takes', async () => {
    await exportOnce({
      OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json',
      OTEL_TRACES_SAMPLER: 'always_off',
    });
    expect(receiver.spans).toEqual([]);
  });
});

describe('OTLP over gRPC', () => {
  it('carries spans', async () => {
    const received: Buffer[] = [];
    const server = new Server();
    const same = (bytes: Buffer): Buffer => bytes;
    server.addService(
      {
        Export: {
          path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
          requestStream: false,
          responseStream: false,
          requestSerialize: same,
          requestDeserialize: same,
          responseSerialize: same,
          responseDeserialize: same,
        },
      },
      {
        Export(call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) {
          received.push(call.request);
          callback(null, Buffer.alloc(0));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error) reject(error);
        else resolve(bound);
      });
    });
    await exportOnce({ OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
    server.forceShutdown();
    expect(received).toHaveLength(1);
    expect(received[0]?.includes(Buffer.from(TRACE_ID, 'hex'))).toBe(true);
  });
});

describe('a receiver that is not there', () => {
  it('is reported in the log and holds up nothing', async () => {
    const destination = captureLog();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '100' };
    await withEnvironment(env, async () => {
      const telemetry = await createTelemetry({ version: '1', log: { accountId: '0', destination } });
      telemetry.tracing.request({ method: 'GET', path: '/', scheme: 'http' }).end({ status: 200 });
      await telemetry.close();
    });
    expect(destination.lines).toMatchObject([
      { msg: 'OpenTelemetry could not export what was left.', logLevel: 'ERROR' },
    ]);
  });
});

describe('the environment', () => {
  it.each([
    [{}, false],
    [{ OTEL_TRACES_EXPORTER: 'otlp' }, true],
    [{ OTEL_TRACES_EXPORTER: 'none', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, false],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://c:4318' }, true],
    [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://c:4318' }, true],
    [{ OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://c:4318' }, false],
    [{ OTEL_SDK_DISABLED: 'true', OTEL_TRACES_EXPORTER: 'otlp' }, false],
  ])('%j makes traces: %s', (env, wanted) => {
    expect(tracesWanted(env)).toBe(wanted);
  });

  it('may name several exporters, and none that there is not', () => {
    expect(exporterNames('metrics', { OTEL_METRICS_EXPORTER: 'prometheus, otlp,console' })).toEqual([
      'otlp',
      'console',
    ]);
    expect(() => exporterNames('traces', { OTEL_TRACES_EXPORTER: 'zipkin' })).toThrow(/zipkin.*otlp, console/);
  });

  it('names the protocol of a signal before the general one', () => {
    expect(tracesProtocol({})).toBe('http/protobuf');
    expect(tracesProtocol({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' })).toBe('grpc');
    expect(
      tracesProtocol({ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc', OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' }),
    ).toBe('http/json');
    expect(() => tracesProtocol({ OTEL_EXPORTER_OTLP_PROTOCOL: 'udp' })).toThrow(/OTEL_EXPORTER_OTLP_PROTOCOL.*udp/);
  });
});
