import { METRICS, type MetricEntry } from './catalogue.js';

/** What one set of label values has come to since the start. */
export interface Series {
  /** In the order of the labels of the histogram's entry; a label whose value is undefined is absent. */
  readonly labels: readonly (string | number | undefined)[];
  /** Values up to each boundary and above the one before it; at last those above all boundaries. */
  readonly counts: number[];
  count: number;
  sum: number;
  min: number;
  max: number;
}

/** A value for each of the labels. */
type LabelValues<Labels extends readonly string[]> = { readonly [Index in keyof Labels]: Series['labels'][number] };

export interface HistogramEntry extends MetricEntry {
  readonly kind: 'histogram';
}

/**
 * Seconds. From a decision in memory (tens of microseconds) to the longest timeout (15 s): the boundaries that the HTTP
 * conventions advise, with finer ones below.
 */
export const BUCKETS: readonly number[] = [
  0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 7.5, 10, 15,
];

/**
 * A histogram of durations. The service counts by itself, and the SDK collects (as from any `MetricProducer`): each
 * message is in four histograms, and for each the SDK would sort and print the labels anew to find what they belong to.
 */
export class Histogram<Labels extends readonly string[] = readonly string[]> {
  readonly entry: HistogramEntry & { readonly labels: Labels };
  readonly #series = new Map<string, Series>();

  constructor(entry: HistogramEntry & { readonly labels: Labels }) {
    this.entry = entry;
  }

  /** @param labels values from a bounded set, in the order of the entry's labels */
  record(seconds: number, ...labels: LabelValues<Labels>): void {
    let key = '';
    for (const label of labels) key += `${label ?? ''}\0`;
    let series = this.#series.get(key);
    if (series === undefined) {
      const counts = new Array<number>(BUCKETS.length + 1).fill(0);
      series = { labels, counts, count: 0, sum: 0, min: Infinity, max: -Infinity };
      this.#series.set(key, series);
    }
    let bucket = 0;
    while (bucket < BUCKETS.length && seconds > (BUCKETS[bucket] ?? 0)) bucket += 1;
    series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.count += 1;
    series.sum += seconds;
    if (seconds < series.min) series.min = seconds;
    if (seconds > series.max) series.max = seconds;
  }

  /** As they are: what is recorded later shows in them. */
  get series(): Iterable<Readonly<Series>> {
    return this.#series.values();
  }
}

/** Every histogram of the service. */
export function createHistograms() {
  return {
    directMessages: new Histogram(METRICS.directMessages),
    deliveries: new Histogram(METRICS.deliveries),
    httpRequests: new Histogram(METRICS.httpRequests),
    hookCalls: new Histogram(METRICS.hookCalls),
    decisions: new Histogram(METRICS.decisions),
  } as const;
}

export type Histograms = ReturnType<typeof createHistograms>;
