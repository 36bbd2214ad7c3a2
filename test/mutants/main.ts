/**
 * Mutation testing: changes one thing in the sources and looks whether a test fails. `npm run test:mutants` tries a sample,
 * spread evenly over the sources, and all that once survived; `-- --all` tries every mutant, `-- PATH` those of one path.
 * Fails where less than 90 % die, or one that once survived lives. Those that may live are argued in survivors.ts.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { mutantsOf, replacing, type Mutant } from './mutations.js';
import { ONCE_SURVIVED, ROOMS } from './rooms.js';
import { EQUIVALENT } from './survivors.js';

const LEAST_KILLED = 0.9;
/** A mutant that hangs is killed by it. */
const TIMEOUT_MS = 120_000;

interface Trial {
  readonly mutant: Mutant | undefined;
  readonly tests: string;
  readonly mustDie: boolean;
}

const all = process.argv.includes('--all');
const [only = ''] = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));

const trials: Trial[] = ROOMS.flatMap(({ sources, tests, sample }) => {
  const mutants = sources
    .flatMap(filesIn)
    .filter((file) => file.includes(only))
    .flatMap((file) => mutantsOf(file, read(file)))
    .filter((mutant) => !isEquivalent(mutant));
  const step = all ? 1 : Math.max(1, mutants.length / sample);
  const picked = mutants.filter((_, at) => Math.floor(at / step) !== Math.floor((at - 1) / step));
  return picked.map((mutant) => ({ mutant, tests, mustDie: false }));
});
for (const { file, from, to, tests } of ONCE_SURVIVED) {
  if (file.includes(only)) trials.push({ mutant: replacing(file, read(file), from, to), tests, mustDie: true });
}

// Tests that fail without a mutant would kill them all.
for (const tests of new Set(trials.map((trial) => trial.tests))) {
  if (await fails({ mutant: undefined, tests, mustDie: false })) throw new Error(`${tests} fails without a mutant.`);
}
const survivors: Trial[] = [];
const waiting = [...trials];
await Promise.all(
  Array.from({ length: availableParallelism() }, async () => {
    for (let trial = waiting.shift(); trial !== undefined; trial = waiting.shift()) {
      if (!(await fails(trial))) survivors.push(trial);
    }
  }),
);

const killed = trials.length - survivors.length;
for (const { mutant, mustDie } of survivors) say(`survived${mustDie ? ' again' : ''}: ${mutant && describe(mutant)}`);
say(`${killed} of ${trials.length} killed (${((100 * killed) / trials.length).toFixed(1)} %)`);
if (killed < LEAST_KILLED * trials.length || survivors.some(({ mustDie }) => mustDie)) process.exitCode = 1;

function fails({ mutant, tests }: Trial): Promise<boolean> {
  const jest = [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    '-c',
    'jest.mutants.config.js',
  ];
  const env = { ...process.env, TIGHTBEAM_MUTANT: JSON.stringify(mutant ?? {}) };
  const child = spawn(process.execPath, [...jest, '-i', '--bail', '--forceExit', tests], { env, stdio: 'ignore' });
  const timer = setTimeout(() => child.kill('SIGKILL'), TIMEOUT_MS);
  return new Promise((resolve) => {
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve(code !== 0);
    });
  });
}

function isEquivalent({ file, start, end, text }: Mutant): boolean {
  const source = read(file);
  const line = source.slice(source.lastIndexOf('\n', start) + 1, source.indexOf('\n', start)).trim();
  return EQUIVALENT.some(
    (one) => one.file === file && one.line === line && one.to === `${source.slice(start, end)} -> ${text}`,
  );
}

function describe({ file, start, end, text }: Mutant): string {
  const source = read(file);
  const line = source.slice(0, start).split('\n').length;
  return `${file}:${line} ${source.slice(start, end)} -> ${text}`;
}

function filesIn(path: string): string[] {
  if (statSync(path).isFile()) return [path];
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesIn(join(path, name)));
}

function read(file: string): string {
  return readFileSync(file, 'utf8');
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
