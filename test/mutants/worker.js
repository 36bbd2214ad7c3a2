/** Runs one test file after the other in one process, as its parent says: { file, mutant, only, timeoutMs } -> { failed, reached, took }. */
import process from 'node:process';
import { runCLI } from '@jest/core';
import { trial } from './environment.js';

process.tightbeamTrial = trial;
process.on('message', ({ file, mutant, only, timeoutMs }) => {
  Object.assign(trial, { mutant, only, reached: new Map(), took: new Map() });
  const how = { $0: '', config: 'jest.mutants.config.js', runInBand: true, runTestsByPath: true, silent: true };
  // What waits for ever is ended by it, before its parent ends what does not even come back to say so.
  runCLI({ ...how, _: [file], testTimeout: timeoutMs }, [process.cwd()]).then(
    ({ results }) => {
      const reached = [...trial.reached].map(([test, ids]) => [test, [...ids]]);
      process.send?.({ failed: !results.success, reached, took: [...trial.took] });
    },
    () => process.send?.({ failed: true, reached: [], took: [] }),
  );
});
process.on('disconnect', () => process.exit());
