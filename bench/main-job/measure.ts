import type { Way } from './ways.js';

export interface Figures {
  readonly perSecond: number;
  /** Milliseconds from sending to confirmation. */
  readonly p50: number;
  readonly p99: number;
  /**
   * CPU that service and broker took for one message, in microseconds: what other load on the machine changes least.
   * Absent where that is not asked for.
   */
  readonly serverMicros?: number;
  /** Messages of the whole measurement, those that went first with them. */
  readonly sent?: number;
}

/** Share of the time that goes first and does not count: permissions that the broker has forgotten are asked for again. */
const WARM_UP = 0.3;

/** Sends for so long, always so many at the same time. Rejects where one message fails or takes half a minute. */
export async function measure(
  way: Way,
  concurrency: number,
  milliseconds: number,
  cpuMicros?: () => Promise<number>,
): Promise<Figures> {
  await way.prepare?.(concurrency);
  const latencies: number[] = [];
  const cpuBefore = await cpuMicros?.();
  let sent = 0;
  const start = performance.now() + milliseconds * WARM_UP;
  const end = start + milliseconds;
  const sender = async (slot: number): Promise<void> => {
    for (let sentAt = performance.now(); sentAt < end;) {
      await way.send(slot);
      sent++;
      const confirmedAt = performance.now();
      if (sentAt >= start) latencies.push(confirmedAt - sentAt);
      sentAt = confirmedAt;
    }
  };
  await within(
    milliseconds + 30_000,
    Promise.all(Array.from({ length: concurrency }, (_, slot) => sender(slot))),
    `${way.name}: a confirmation did not come.`,
  );
  const seconds = (performance.now() - start) / 1_000;
  const cpuAfter = await cpuMicros?.();
  latencies.sort((a, b) => a - b);
  const quantile = (share: number): number => latencies[Math.ceil(latencies.length * share) - 1] ?? NaN;
  return {
    perSecond: latencies.length / seconds,
    p50: quantile(0.5),
    p99: quantile(0.99),
    sent,
    ...(cpuBefore !== undefined && cpuAfter !== undefined && { serverMicros: (cpuAfter - cpuBefore) / sent }),
  };
}

export interface Turns {
  readonly concurrency: number;
  readonly milliseconds: number;
  readonly rounds: number;
  /** Of the first turn of each, which does not count. Default: as long as the others. */
  readonly firstMilliseconds?: number;
  readonly cpuMicros?: () => Promise<number>;
}

/** All ways by turns, so that what else the machine does meets all of them; of each the median round. */
export async function compare(ways: readonly Way[], turns: Turns): Promise<Map<Way, Figures>> {
  const measured = await takeTurns(ways, turns);
  return new Map([...measured].map(([way, figures]) => [way, median(figures)]));
}

/** All ways by turns, in their order; of each every round. */
export async function takeTurns(
  ways: readonly Way[],
  { concurrency, milliseconds, rounds, firstMilliseconds = milliseconds, cpuMicros }: Turns,
): Promise<Map<Way, Figures[]>> {
  const measured = new Map<Way, Figures[]>(ways.map((way) => [way, []]));
  for (const way of ways) await measure(way, concurrency, firstMilliseconds, cpuMicros);
  for (let round = 0; round < rounds; round += 1) {
    for (const [way, figures] of measured) figures.push(await measure(way, concurrency, milliseconds, cpuMicros));
  }
  return measured;
}

/**
 * How a figure of one way stands to that of another: the median of their ratios in each round. Machines get slower and
 * faster by the minute, so rounds that follow each other are what can be compared.
 */
export function medianRatio(
  figure: 'perSecond' | 'p50',
  rounds: readonly Figures[],
  others: readonly Figures[],
): number {
  const ratios = rounds.map((round, index) => round[figure] / (others[index]?.[figure] ?? NaN)).sort((a, b) => a - b);
  return ratios[Math.floor(ratios.length / 2)] ?? NaN;
}

/** The round with the median throughput. */
export function median(rounds: readonly Figures[]): Figures {
  const sorted = [...rounds].sort((a, b) => a.perSecond - b.perSecond);
  return sorted[Math.floor(sorted.length / 2)] ?? { perSecond: NaN, p50: NaN, p99: NaN };
}

async function within(milliseconds: number, work: Promise<unknown>, message: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(message));
    }, milliseconds);
  });
  await Promise.race([work, late]).finally(() => {
    clearTimeout(timer);
  });
}
