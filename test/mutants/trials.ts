import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';

/** What a test file did: `reached` are the mutants that a test came by, `''` is what is outside of tests. */
export interface Run {
  readonly failed: boolean;
  readonly reached: readonly (readonly [test: string, ids: readonly number[]])[];
  /** Milliseconds. */
  readonly took: readonly (readonly [test: string, ms: number])[];
}

/** Tests of a file that reach a mutant; `undefined` are all of them, for it is reached outside of tests too. */
export interface Reaching {
  readonly file: string;
  readonly only: readonly string[] | undefined;
  readonly ms: number;
}

/** What a failed mutant leaves open stays in the process: after so many it is replaced. */
const RUNS_PER_PROCESS = 40;

/** A process that runs test files, one at a time. What hangs it is a failure, and costs the process. */
export class Worker {
  #child: ChildProcess | undefined;
  #runs = 0;

  constructor(private readonly folder: string) {}

  async run(file: string, mutant: number, only: readonly string[] | undefined, timeoutMs: number): Promise<Run> {
    if (++this.#runs % RUNS_PER_PROCESS === 0) this.stop();
    this.#child ??= fork(join(import.meta.dirname, 'worker.js'), {
      env: { ...process.env, TIGHTBEAM_MUTANTS: this.folder },
      execArgv: ['--experimental-vm-modules', '--no-warnings'],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const child = this.#child;
    child.send({ file, mutant, only, timeoutMs });
    const result = await new Promise<Run>((resolve) => {
      const settle = (run: Run): void => {
        clearTimeout(timer);
        child.removeAllListeners();
        resolve(run);
      };
      const lost = (): void => {
        this.stop();
        settle({ failed: true, reached: [], took: [] });
      };
      const timer = setTimeout(lost, 2 * timeoutMs);
      child.once('message', settle);
      child.once('exit', lost);
    });
    return result;
  }

  stop(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }
}

/** For each mutant the tests that reach it, those first that take least. */
export function reaching(runs: ReadonlyMap<string, Run>): Map<number, Reaching[]> {
  const all = new Map<number, Reaching[]>();
  for (const [file, { reached, took }] of runs) {
    const times = new Map(took);
    const whole = [...times.values()].reduce((sum, ms) => sum + ms, 0);
    const tests = new Map<number, string[]>();
    for (const [test, ids] of reached) for (const id of ids) tests.set(id, [...(tests.get(id) ?? []), test]);
    for (const [id, names] of tests) {
      const outside = names.includes('');
      const ms = outside ? whole : names.reduce((sum, name) => sum + (times.get(name) ?? 0), 0);
      all.set(id, [...(all.get(id) ?? []), { file, only: outside ? undefined : names, ms }]);
    }
  }
  for (const some of all.values()) some.sort((a, b) => a.ms - b.ms);
  return all;
}
