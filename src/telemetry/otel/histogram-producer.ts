import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import { emptyResource } from '@opentelemetry/resources';
import {
  AggregationTemporality,
  DataPointType,
  type HistogramMetricData,
  type MetricProducer,
  type ScopeMetrics,
} from '@opentelemetry/sdk-metrics';
import { BUCKETS, type Histogram, type HistogramEntry, type Series } from '../metrics/histograms.js';

type Point = HistogramMetricData['dataPoints'][number];

/**
 * Gives the histograms that the service keeps to one reader of the SDK, in the temporality which that reader prefers:
 * all since the start, or what came since it was last asked.
 */
export class HistogramProducer implements MetricProducer {
  readonly #scope: ScopeMetrics['scope'];
  readonly #histograms: readonly Histogram[];
  readonly #temporality: AggregationTemporality;
  /** What was told before. Only where the reader wants differences. */
  readonly #told = new Map<Series, Pick<Series, 'counts' | 'count' | 'sum'>>();
  #since = hrTime();

  constructor(
    scope: ScopeMetrics['scope'],
    histograms: readonly Histogram[],
    temporality: AggregationTemporality = AggregationTemporality.CUMULATIVE,
  ) {
    this.#scope = scope;
    this.#histograms = histograms;
    this.#temporality = temporality;
  }

  collect(): ReturnType<MetricProducer['collect']> {
    const metrics = this.#histograms.map((histogram) => this.#metric(histogram));
    if (this.#temporality === AggregationTemporality.DELTA) this.#since = hrTime();
    const scopeMetrics = [{ scope: this.#scope, metrics: metrics.filter(({ dataPoints }) => dataPoints.length > 0) }];
    // The reader puts its provider's resource in place of this one.
    return Promise.resolve({ resourceMetrics: { resource: emptyResource(), scopeMetrics }, errors: [] });
  }

  #metric({ entry, series }: Histogram): HistogramMetricData {
    const { name, description, unit } = entry;
    const times = { startTime: this.#since, endTime: hrTime() };
    return {
      descriptor: { name, description, unit, valueType: ValueType.DOUBLE },
      aggregationTemporality: this.#temporality,
      dataPointType: DataPointType.HISTOGRAM,
      dataPoints: [...series].flatMap((one): Point[] => {
        const value = this.#temporality === AggregationTemporality.DELTA ? this.#difference(one) : valueOf(one);
        return value.count === 0 ? [] : [{ ...times, attributes: attributesOf(entry, one), value }];
      }),
    };
  }

  /** Without the least and the greatest value: of these no difference can be told. */
  #difference(series: Series): Point['value'] {
    const { counts, count, sum } = series;
    const before = this.#told.get(series);
    this.#told.set(series, { counts: [...counts], count, sum });
    return {
      buckets: {
        boundaries: [...BUCKETS],
        counts: counts.map((amount, bucket) => amount - (before?.counts[bucket] ?? 0)),
      },
      count: count - (before?.count ?? 0),
      sum: sum - (before?.sum ?? 0),
    };
  }
}

function valueOf({ counts, count, sum, min, max }: Series): Point['value'] {
  return { buckets: { boundaries: [...BUCKETS], counts: [...counts] }, count, sum, min, max };
}

function attributesOf({ labels }: HistogramEntry, series: Series): Attributes {
  const attributes: Attributes = {};
  for (const [index, label] of labels.entries()) {
    const value = series.labels[index];
    if (value !== undefined) attributes[label] = value;
  }
  return attributes;
}

/** Now, as the SDK tells time: seconds since 1970, and nanoseconds. */
function hrTime(): HrTime {
  const milliseconds = Date.now();
  return [Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1e6];
}
