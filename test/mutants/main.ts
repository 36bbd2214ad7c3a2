/**
 * Mutation testing: changes one thing in the sources and looks whether a test fails. `npm run test:mutants` tries a sample
 * of each room (`--seed=N` picks another one), and every mutant that has a name; `-- --all` tries all there are, `-- PATH`
 * all of one path. Fails where less than 90 % die, or one with a name lives. Those that may live are argued in survivors.ts.
 */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { withMutants, type Mutant } from './mutations.js';
import { NAMED, ROOMS } from './rooms.js';
import { EQUIVALENT } from './survivors.js';
import { reaching, Worker, type Run } from './trials.js';

const LEAST_KILLED = 0.9;
/** How long what took so long without a mutant may take with one, in milliseconds. What hangs is dead then. */
const patience = (ms: number): number => 5000 + 10 * ms;
/** What hangs takes time and no processor. */
const PROCESSES = 2 * availableParallelism();

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const [only = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
const all = flags.includes('--all') || only !== '';
const seed = Number(flags.find((flag) => flag.startsWith('--seed='))?.slice('--seed='.length) ?? 1);

const folder = mkdtempSync(join(tmpdir(), 'tightbeam-mutants-'));
const workers = Array.from({ length: PROCESSES }, () => new Worker(folder));
try {
  await main();
} finally {
  for (const worker of workers) worker.stop();
  rmSync(folder, { recursive: true });
}

async function main(): Promise<void> {
  const mutants: Mutant[] = [];
  const picked: { id: number; tests: readonly string[]; named: boolean }[] = [];
  const random = randomOf(seed);
  for (const room of ROOMS) {
    const first = mutants.length;
    for (const file of room.sources.flatMap((path) => filesIn(path, '.ts')).filter((path) => path.includes(only))) {
      const named = NAMED.filter((one) => one.file === file);
      const mutated = withMutants(file, readFileSync(file, 'utf8'), mutants.length, named);
      mutants.push(...mutated.mutants);
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), mutated.text);
    }
    const ids = mutants.map((_, id) => id).slice(first);
    const mayLive = ids.filter((id) => mutants.slice(id, id + 1).some(isEquivalent));
    const rest = shuffled(
      ids.filter((id) => !mayLive.includes(id)),
      random,
    );
    const named = rest.filter((id) => mutants.slice(id, id + 1).some(hasName));
    const chosen = new Set([...named, ...rest.slice(0, all ? undefined : room.sample)]);
    const tests = room.tests.flatMap((path) => filesIn(path, '.test.ts'));
    for (const id of chosen) picked.push({ id, tests, named: named.includes(id) });
  }

  const files = [...new Set(picked.flatMap(({ tests }) => tests))];
  const runs = new Map<string, Run>();
  await each(files, async (file, worker) => {
    const first = await worker.run(file, -1, undefined, 600_000);
    // Tests that fail without a mutant would kill them all. (What a busy machine breaks passes the second time.)
    const run = first.failed ? await worker.run(file, -1, undefined, 600_000) : first;
    if (run.failed) throw new Error(`${file} fails without a mutant.`);
    runs.set(file, run);
  });
  const tests = reaching(runs);
  let survivors = 0;
  let survivedAgain = 0;
  await each(picked, async ({ id, tests: ofRoom, named }, worker) => {
    const trials = (tests.get(id) ?? []).filter(({ file }) => ofRoom.includes(file));
    for (const { file, only: some, ms } of trials) {
      if ((await worker.run(file, id, some, patience(ms))).failed) return;
    }
    survivors += 1;
    if (named) survivedAgain += 1;
    const [mutant] = mutants.slice(id, id + 1);
    if (mutant === undefined) return;
    const { file, line, from, to } = mutant;
    const why = `${trials.length > 0 ? '' : ', no test comes by'}${named ? ', has a name' : ''}`;
    say(`survived${why}: ${file}:${line} ${from} -> ${to}`);
  });

  const killed = picked.length - survivors;
  const share = ((100 * killed) / picked.length).toFixed(1);
  say(`${killed} of ${picked.length} killed (${share} %), of ${mutants.length} that there are; seed ${seed}`);
  if (killed < LEAST_KILLED * picked.length || survivedAgain > 0) process.exitCode = 1;
}

/** Hands one after the other to whichever process is free. */
async function each<T>(items: readonly T[], run: (item: T, worker: Worker) => Promise<void>): Promise<void> {
  const waiting = [...items];
  await Promise.all(
    workers.map(async (worker) => {
      for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await run(item, worker);
    }),
  );
}

function isEquivalent(mutant: Mutant): boolean {
  return EQUIVALENT.some(
    ({ file, line, to }) => file === mutant.file && line === mutant.within && to === `${mutant.from} -> ${mutant.to}`,
  );
}

function hasName(mutant: Mutant): boolean {
  return NAMED.some(({ file, from, to }) => file === mutant.file && from === mutant.from && to === mutant.to);
}

/** The same order for the same seed. (xorshift32; quality does not matter, that anybody can repeat it does.) */
function shuffled<T>(items: readonly T[], random: () => number): T[] {
  const keyed = items.map((item) => ({ item, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ item }) => item);
}

function randomOf(start: number): () => number {
  let state = Math.imul(start, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

function filesIn(path: string, ending: string): string[] {
  if (statSync(path).isFile()) return path.endsWith(ending) ? [path] : [];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name), ending));
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
