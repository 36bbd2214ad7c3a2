import { REASONS, type Reason } from '../reasons.js';
import type { ActionEvent, AnyEvent, DirectMessageEvent, Events, EventType } from './events.js';

/** What is kept: the last hour, in steps. */
const STEP_MS = 10_000;
const STEPS = 360;

/** Upper boundaries of the classes of durations, in milliseconds; above the last there is one more. */
const BOUNDARIES: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 7500, 10_000, 15_000,
];

/** Durations of direct messages, by class. */
type Classes = number[];

interface Step {
  readonly begins: number;
  readonly durations: Map<Reason, Classes>;
  connects: number;
  refused: number;
  disconnects: number;
}

/** How many messages, and how long they took: half of them at most `p50Ms`, 99 of 100 at most `p99Ms`. */
export interface Latency {
  readonly count: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
}

/** The last hour of one replica. Moments are RFC 3339. */
export interface HourReport {
  readonly stepSeconds: number;
  /** Outcomes of direct messages of the whole hour, the most frequent first. */
  readonly reasons: readonly (Latency & { readonly reason: Reason })[];
  /** The oldest first; a step in which nothing was told is left out. */
  readonly steps: readonly (Latency & {
    readonly at: string;
    readonly succeeded: number;
    readonly connects: number;
    readonly refused: number;
    readonly disconnects: number;
  })[];
}

/** Rates and latencies of the last hour, for who has no Prometheus: bounded by the number of steps and of reasons. */
export class HourStatistics implements Events {
  readonly #clock: () => number;
  #steps: Step[] = [];

  /** @param clock milliseconds since 1970 */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  tell(type: EventType, event: AnyEvent): void {
    if (type === 'SendDirectMessage') this.#message(event as DirectMessageEvent);
    else if (type === 'Disconnect') this.#step().disconnects += 1;
    else if (type === 'Connect')
      this.#step()[(event as ActionEvent).reason === undefined ? 'connects' : 'refused'] += 1;
  }

  report(): HourReport {
    const steps = this.#kept();
    const hour = new Map<Reason, Classes>();
    for (const { durations } of steps) for (const [reason, classes] of durations) add(hour, reason, classes);
    return {
      stepSeconds: STEP_MS / 1000,
      reasons: [...hour]
        .map(([reason, classes]) => ({ reason, ...latencyOf([classes]) }))
        .sort((one, other) => other.count - one.count),
      steps: steps.map(({ begins, durations, connects, refused, disconnects }) => ({
        at: new Date(begins).toISOString(),
        ...latencyOf([...durations.values()]),
        succeeded: sum(
          [...durations].filter(([reason]) => REASONS[reason].status === 'Success').map(([, one]) => sum(one)),
        ),
        ...{ connects, refused, disconnects },
      })),
    };
  }

  #message({ reason, durationMs }: DirectMessageEvent): void {
    const { durations } = this.#step();
    let classes = durations.get(reason);
    if (classes === undefined) durations.set(reason, (classes = new Array<number>(BOUNDARIES.length + 1).fill(0)));
    const found = BOUNDARIES.findIndex((boundary) => durationMs <= boundary);
    const at = found < 0 ? BOUNDARIES.length : found;
    classes[at] = (classes[at] ?? 0) + 1;
  }

  #step(): Step {
    const begins = Math.floor(this.#clock() / STEP_MS) * STEP_MS;
    const latest = this.#steps.at(-1);
    if (latest !== undefined && latest.begins >= begins) return latest;
    const step: Step = { begins, durations: new Map(), connects: 0, refused: 0, disconnects: 0 };
    this.#steps = [...this.#kept(), step];
    return step;
  }

  #kept(): Step[] {
    const oldest = this.#clock() - STEP_MS * STEPS;
    return this.#steps.filter(({ begins }) => begins > oldest);
  }
}

function add(to: Map<Reason, Classes>, reason: Reason, classes: Classes): void {
  const known = to.get(reason);
  to.set(reason, known === undefined ? [...classes] : known.map((count, at) => count + (classes[at] ?? 0)));
}

function latencyOf(all: readonly Classes[]): Latency {
  const classes = all.reduce<Classes>((total, one) => one.map((count, at) => count + (total[at] ?? 0)), []);
  const count = sum(classes);
  if (count === 0) return { count };
  return { count, p50Ms: quantile(classes, 0.5), p99Ms: quantile(classes, 0.99) };
}

/** Within its class a duration is taken to be as likely anywhere. */
function quantile(classes: Classes, share: number): number {
  let left = sum(classes) * share;
  for (const [at, count] of classes.entries()) {
    const low = BOUNDARIES[at - 1] ?? 0;
    if (left <= count && count > 0) return low + ((BOUNDARIES[at] ?? low) - low) * (left / count);
    left -= count;
  }
  return BOUNDARIES.at(-1) ?? 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}
