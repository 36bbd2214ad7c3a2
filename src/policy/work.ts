/** Work in pieces: it yields wherever it may pause, and returns what came of it. */
export type Work<T> = Generator<undefined, T, undefined>;

/** Does the work at once. */
export function finish<T>(work: Work<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done === true) return step.value;
  }
}

/** As long as one slice may take: what waits meanwhile waits no longer than for a slow decision. */
const SLICE_MS = 2;

/**
 * Does the work in slices of some milliseconds, between which whatever else waits has its turn.
 * @throws the reason of the signal, once it is aborted
 */
export async function finishInSlices<T>(work: Work<T>, signal?: AbortSignal): Promise<T> {
  for (;;) {
    const end = performance.now() + SLICE_MS;
    do {
      const step = work.next();
      if (step.done === true) return step.value;
    } while (performance.now() < end);
    await new Promise((resolve) => setImmediate(resolve));
    signal?.throwIfAborted();
  }
}

/** Items sorted by the built-in at once; no more than that takes a slice of its own. */
const RUN = 1024;

/** As `toSorted`, in pieces: runs are sorted, and then merged two by two. Items that compare alike keep their order. */
export function* sorted<T>(items: readonly T[], compare: (one: T, other: T) => number): Work<readonly T[]> {
  let runs: (readonly T[])[] = [];
  for (let at = 0; at < items.length; at += RUN) {
    runs.push(items.slice(at, at + RUN).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: (readonly T[])[] = [];
    for (let at = 0; at < runs.length; at += 2) merged.push(yield* merge(runs[at] ?? [], runs[at + 1] ?? [], compare));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(one: readonly T[], other: readonly T[], compare: (one: T, other: T) => number): Work<readonly T[]> {
  const merged: T[] = [];
  let next = 0;
  for (const item of one) {
    for (let candidate = other[next]; next < other.length; candidate = other[next]) {
      if (compare(item, candidate as T) <= 0) break;
      merged.push(candidate as T);
      next++;
    }
    merged.push(item);
    if (merged.length % RUN === 0) yield;
  }
  for (; next < other.length; next++) merged.push(other[next] as T);
  return merged;
}
