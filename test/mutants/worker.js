/** Runs one test file after the other in one process, as its parent says: { file, mutant, only } -> { failed, reached, took }. */
import process from 'node:process';
import { runCLI } from '@jest/core';
import { trial } from './environment.js';

process.tightbeamTrial = trial;
process.on('message', ({ file, mutant, only }) => {
  Object.assign(trial, { mutant, only, reached: new Map(), took: new Map() });
  const argv = { $0: '', _: [], config: 'jest.mutants.config.js', runInBand: true, runTestsByPath: true, silent: true };
  runCLI({ ...argv, _: [file] }, [process.cwd()]).then(
    ({ results }) => {
      const reached = [...trial.reached].map(([test, ids]) => [test, [...ids]]);
      process.send?.({ failed: !results.success, reached, took: [...trial.took] });
    },
    () => process.send?.({ failed: true, reached: [], took: [] }),
  );
});
process.on('disconnect', () => process.exit());
