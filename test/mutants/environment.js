import { performance } from 'node:perf_hooks';
import process from 'node:process';
import { TestEnvironment } from 'jest-environment-node';

/** What the worker asks for (`mutant`, `only` these tests), and what it is told (`reached`: by which test each mutant was). */
export const trial = { mutant: -1, only: undefined, reached: new Map(), took: new Map() };
process.tightbeamTrial ??= trial;

/** Answers `__mutant(n)`, runs the tests that reach the mutant, and no further one when one has failed. */
export default class MutantEnvironment extends TestEnvironment {
  #test = '';
  #startedAt = 0;
  #failed = false;

  async setup() {
    await super.setup();
    const { mutant, reached } = process.tightbeamTrial;
    this.global.__mutant = (id) => {
      if (mutant === -1) reached.set(this.#test, (reached.get(this.#test) ?? new Set()).add(id));
      return id === mutant;
    };
  }

  handleTestEvent({ name, test }) {
    const { only, took } = process.tightbeamTrial;
    if (name === 'test_start') {
      this.#test = nameOf(test);
      this.#startedAt = performance.now();
      if (this.#failed || only?.includes(this.#test) === false) test.mode = 'skip';
    } else if (name === 'test_done') {
      took.set(this.#test, performance.now() - this.#startedAt);
      this.#failed ||= test.errors.length > 0;
      this.#test = '';
    }
  }
}

function nameOf(test) {
  return test.parent === undefined ? '' : `${nameOf(test.parent)} ${test.name}`;
}
