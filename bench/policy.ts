/**
 * Decisions a second of the policy engine against other engines and against a plain loop, on equivalent policies, in one
 * process and one run. Every decision of every engine is compared with the plain loop's.
 */
import { load } from './policy/loading.js';
import { memoryOf } from './policy/memory.js';
import { casbin, cedar, iamSimulate, plainLoop, tightbeam, type Decide, type Effect } from './policy/engines.js';
import { subscriptions } from './policy/subscriptions.js';
import { requestsOf, statementsOf, type BenchRequest } from './policy/workload.js';
import { print, verdict } from './report.js';

const SIZES = [2, 50, 1_000, 10_000];
const PEERS = [iamSimulate, cedar, casbin];
const ENGINES = [tightbeam, plainLoop, ...PEERS];
const REQUESTS = 1_200;
const ROUNDS = 21;

interface Result {
  readonly perSecond: number;
  /** Decisions that differ from the plain loop's, of those made. */
  readonly different: number;
  readonly compared: number;
}

/** One engine with one policy. */
interface Contest {
  readonly size: number;
  readonly engine: string;
  readonly decide: Decide;
  readonly requests: readonly BenchRequest[];
  readonly different: number;
  readonly compared: number;
  readonly rates: number[];
}

/**
 * Every engine with every policy takes a short turn in each round, and the median of the turns counts: what else the
 * machine does, and when the garbage of one engine is collected, then meets all of them alike.
 *
 * @param args `--quick`: shorter turns, for a try
 */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 4 : 20;
  const contests: Contest[] = [];
  for (const size of SIZES) contests.push(...(await prepare(size, 25 * milliseconds)));
  for (let round = 0; round < ROUNDS; round++) {
    for (const { decide, requests, rates } of contests) rates.push(await rate(decide, requests, milliseconds));
  }
  const results = new Map<number, Map<string, Result>>(SIZES.map((size) => [size, new Map<string, Result>()]));
  for (const { size, engine, rates, different, compared } of contests) {
    results.get(size)?.set(engine, { perSecond: median(rates), different, compared });
  }
  print(`decisions a second, median of ${ROUNDS} rounds (of which different from the plain loop)`);
  print(['statements', ...ENGINES.map(({ name }) => name)].map(pad).join(''));
  for (const [size, row] of results) print([String(size), ...[...row.values()].map(cell)].map(pad).join(''));
  judge(results);
  print('\ndecisions about one subscription, CPU');
  const { ordinary, worst } = subscriptions(milliseconds);
  print(`  ordinary: ${ordinary.toFixed(3)} ms; the worst of the hostile ones: ${worst.toFixed(3)} ms`);
  verdict('the worst subscription against an ordinary one', worst / ordinary, 'at most', 50);
  print('\nloading 100,000 principals');
  for (const kind of ['texts', 'patterns'] as const) {
    const { milliseconds: took, longestTurn } = await load(100_000, kind);
    print(`  by ${kind}: ${(took / 1000).toFixed(1)} s`);
    verdict(`longest turn of the event loop, ms, principals by ${kind}`, longestTurn, 'at most', 20);
  }
  print('\nmemory of 10,000 principals with a policy of 10 statements');
  print(
    `  each its own: ${memoryOf(10_000, 'own').toFixed(1)} MB; one that all share: ${memoryOf(10_000, 'shared').toFixed(1)} MB`,
  );
}

/** All engines with one policy, warmed up by a comparison. Engines that take long make fewer decisions. */
async function prepare(size: number, milliseconds: number): Promise<Contest[]> {
  const requests = requestsOf(size, REQUESTS);
  const statements = statementsOf(size);
  const loop = await plainLoop.prepare(statements);
  const expected: Effect[] = [];
  for (const request of requests) expected.push(await loop(request));
  const contests: Contest[] = [];
  for (const engine of ENGINES) {
    const decide = await engine.prepare(statements);
    let compared = 0;
    let different = 0;
    // All of ours; of engines that take long, as many as there is time for.
    const end = engine === tightbeam ? Infinity : performance.now() + milliseconds;
    for (; compared < REQUESTS && performance.now() < end; compared++) {
      if ((await decide(requests[compared] as BenchRequest)) !== expected[compared]) different++;
    }
    contests.push({ size, engine: engine.name, decide, requests, different, compared, rates: [] });
  }
  return contests;
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? NaN;
}

async function rate(decide: Decide, requests: readonly BenchRequest[], milliseconds: number): Promise<number> {
  const start = performance.now();
  let made = 0;
  let elapsed = 0;
  while (elapsed < milliseconds) {
    const batch = made === 0 ? 1 : Math.max(1, Math.min(requests.length, Math.floor(made)));
    for (let index = 0; index < batch; index++) {
      const answer = decide(requests[(made + index) % requests.length] as BenchRequest);
      if (typeof answer !== 'string') await answer;
    }
    made += batch;
    elapsed = performance.now() - start;
  }
  return (made / elapsed) * 1000;
}

function judge(results: ReadonlyMap<number, ReadonlyMap<string, Result>>): void {
  const of = (size: number, name: string): number => results.get(size)?.get(name)?.perSecond ?? NaN;
  print('');
  for (const size of SIZES) {
    const best = Math.max(...PEERS.map(({ name }) => of(size, name)));
    verdict(`${size} statements: against the best peer`, of(size, tightbeam.name) / best, 'at least', 100);
  }
  verdict('50 statements: against the plain loop', of(50, tightbeam.name) / of(50, plainLoop.name), 'at least', 4);
  verdict(
    '1000 statements: against the plain loop',
    of(1_000, tightbeam.name) / of(1_000, plainLoop.name),
    'at least',
    100,
  );
  verdict(
    '10000 statements: speed kept of that at 50',
    of(10_000, tightbeam.name) / of(50, tightbeam.name),
    'at least',
    1 / 3,
  );
  const wrong = SIZES.reduce((sum, size) => sum + (results.get(size)?.get(tightbeam.name)?.different ?? NaN), 0);
  verdict('decisions different from the plain loop', wrong, 'at most', 0);
}

function cell({ perSecond, different, compared }: Result): string {
  const rounded = perSecond >= 100 ? Math.round(perSecond).toLocaleString('en') : perSecond.toFixed(1);
  return `${rounded} (${different}/${compared})`;
}

function pad(text: string): string {
  return text.padStart(22);
}
