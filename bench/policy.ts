/**
 * Decisions a second of the policy engine against other engines and against a plain loop, on equivalent policies, in one
 * process and one run. Every decision of every engine is compared with the plain loop's.
 */
import { memoryOf } from './policy/memory.js';
import { casbin, cedar, iamSimulate, plainLoop, tightbeam, type Decide } from './policy/engines.js';
import { requestsOf, statementsOf, type BenchRequest } from './policy/workload.js';

const SIZES = [2, 50, 1_000, 10_000];
const PEERS = [iamSimulate, cedar, casbin];
const REQUESTS = 1_200;
const ROUNDS = 20;

interface Result {
  readonly perSecond: number;
  /** Decisions that differ from the plain loop's, of those made. */
  readonly different: number;
  readonly compared: number;
}

/** @param args `--quick`: less time for each figure, for a try */
export async function run(args: string[]): Promise<void> {
  const milliseconds = args.includes('--quick') ? 20 : 100;
  const results = new Map<number, Map<string, Result>>();
  print('decisions a second (of which different from the plain loop)');
  print(['statements', ...[tightbeam, plainLoop, ...PEERS].map(({ name }) => name)].map(pad).join(''));
  for (const size of SIZES) {
    const requests = requestsOf(size, REQUESTS);
    const statements = statementsOf(size);
    const expected = await plainLoop.prepare(statements);
    const row = new Map<string, Result>();
    for (const engine of [tightbeam, plainLoop, ...PEERS]) {
      const decide = await engine.prepare(statements);
      row.set(engine.name, await measure(decide, expected, requests, milliseconds));
    }
    results.set(size, row);
    print([String(size), ...[...row.values()].map(cell)].map(pad).join(''));
  }
  judge(results);
  print('\nmemory of 10,000 principals with a policy of 10 statements');
  print(
    `  each its own: ${memoryOf(10_000, 'own').toFixed(1)} MB; one that all share: ${memoryOf(10_000, 'shared').toFixed(1)} MB`,
  );
}

/**
 * The best of many short rounds, so that what else runs on the machine matters little, after a warm-up that also
 * compares. Engines that take long make fewer decisions.
 */
async function measure(
  decide: Decide,
  expected: Decide,
  requests: readonly BenchRequest[],
  milliseconds: number,
): Promise<Result> {
  let compared = 0;
  let different = 0;
  for (
    const end = performance.now() + 10 * milliseconds;
    compared < requests.length && performance.now() < end;
    compared++
  ) {
    const request = requests[compared] as BenchRequest;
    if ((await decide(request)) !== (await expected(request))) different++;
  }
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) best = Math.max(best, await rate(decide, requests, milliseconds));
  return { perSecond: best, different, compared };
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
    verdict(`${size} statements: against the best peer`, of(size, tightbeam.name) / best, 100);
  }
  verdict('50 statements: against the plain loop', of(50, tightbeam.name) / of(50, plainLoop.name), 4);
  verdict('1000 statements: against the plain loop', of(1_000, tightbeam.name) / of(1_000, plainLoop.name), 100);
  verdict('10000 statements: speed kept of that at 50', of(10_000, tightbeam.name) / of(50, tightbeam.name), 1 / 3);
  const wrong = SIZES.reduce((sum, size) => sum + (results.get(size)?.get(tightbeam.name)?.different ?? NaN), 0);
  print(`${wrong === 0 ? 'PASS' : 'FAIL'}  decisions different from the plain loop: ${wrong}`);
}

function verdict(what: string, ratio: number, target: number): void {
  const passed = ratio >= target;
  if (!passed) process.exitCode = 1;
  print(`${passed ? 'PASS' : 'FAIL'}  ${what}: ${ratio.toFixed(2)} (at least ${target.toFixed(2)})`);
}

function cell({ perSecond, different, compared }: Result): string {
  const rounded = perSecond >= 100 ? Math.round(perSecond).toLocaleString('en') : perSecond.toFixed(1);
  return `${rounded} (${different}/${compared})`;
}

function pad(text: string): string {
  return text.padStart(22);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
