import { describe, expect, it } from '@jest/globals';
import { AggregationTemporality } from '@opentelemetry/sdk-metrics';
import { METRICS } from '../../src/telemetry/metrics/catalogue.js';
import { BUCKETS, Histogram } from '../../src/telemetry/metrics/histograms.js';
import { HistogramProducer } from '../../src/telemetry/otel/histogram-producer.js';

const SCOPE = { name: 'test' };

/** What the only metric there is has: attributes and value of each of its points. */
async function pointsOf(producer: HistogramProducer) {
  const { resourceMetrics } = await producer.collect();
  const [metric] = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
  return (metric?.dataPoints ?? []).map(({ attributes, value }) => ({ attributes, value }));
}

/** Counts of the buckets that have any, by their upper boundary. */
function filled(value: unknown): Record<string, number> {
  const { buckets } = value as { buckets: { boundaries: number[]; counts: number[] } };
  const named = buckets.counts.map((count, index) => [String(buckets.boundaries[index] ?? 'above'), count] as const);
  return Object.fromEntries(named.filter(([, count]) => count > 0));
}

describe('a histogram', () => {
  it('counts a value in the bucket whose upper boundary is not below it', async () => {
    const histogram = new Histogram(METRICS.directMessages);
    for (const seconds of [0, 0.0001, 0.00011, 15, 15.1]) histogram.record(seconds, 'DELIVERED', 'HTTP', undefined);
    const [point] = await pointsOf(new HistogramProducer(SCOPE, [histogram]));
    expect(filled(point?.value)).toEqual({ '0.0001': 2, '0.00025': 1, '15': 1, above: 1 });
    expect(point?.value).toMatchObject({ count: 5, min: 0, max: 15.1, buckets: { boundaries: BUCKETS } });
  });

  it('keeps label values apart, and leaves out a label that has none', async () => {
    const histogram = new Histogram(METRICS.httpRequests);
    histogram.record(1, 'POST', 200, '/a', 'http', undefined);
    histogram.record(2, 'POST', 200, '/a', 'http', undefined);
    histogram.record(3, 'POST', undefined, undefined, 'http', 'INTERNAL_ERROR');
    const points = await pointsOf(new HistogramProducer(SCOPE, [histogram]));
    const http = { 'http.request.method': 'POST', 'url.scheme': 'http' };
    expect(points).toMatchObject([
      { attributes: { ...http, 'http.route': '/a', 'http.response.status_code': 200 }, value: { count: 2, sum: 3 } },
      { attributes: { ...http, 'error.type': 'INTERNAL_ERROR' }, value: { count: 1, sum: 3 } },
    ]);
    expect(Object.keys(points[1]?.attributes ?? {})).toHaveLength(3);
  });

  it('is not told of before it has a value', async () => {
    expect(await pointsOf(new HistogramProducer(SCOPE, [new Histogram(METRICS.decisions)]))).toEqual([]);
  });
});

describe('a reader', () => {
  it('that wants all since the start gets it each time', async () => {
    const histogram = new Histogram(METRICS.directMessages);
    const producer = new HistogramProducer(SCOPE, [histogram]);
    histogram.record(1, 'DELIVERED', 'HTTP', undefined);
    await pointsOf(producer);
    histogram.record(2, 'DELIVERED', 'HTTP', undefined);
    expect(await pointsOf(producer)).toMatchObject([{ value: { count: 2, sum: 3 } }]);
  });

  it('that wants differences gets what came since it last asked, whoever else asks', async () => {
    const histogram = new Histogram(METRICS.directMessages);
    const producer = new HistogramProducer(SCOPE, [histogram], AggregationTemporality.DELTA);
    histogram.record(1, 'DELIVERED', 'HTTP', undefined);
    expect(await pointsOf(producer)).toMatchObject([{ value: { count: 1, sum: 1 } }]);
    histogram.record(0.05, 'DELIVERED', 'HTTP', undefined);
    histogram.record(5, 'PUBACK_TIMEOUT', 'HTTP', undefined);
    await pointsOf(new HistogramProducer(SCOPE, [histogram]));
    const points = await pointsOf(producer);
    expect(points.map(({ value }) => filled(value))).toEqual([{ '0.05': 1 }, { '5': 1 }]);
    expect(await pointsOf(producer)).toEqual([]);
  });
});
