import base from './jest.config.js';

/** One mutant of the sources, which `npm run test:mutants` names. */
export default {
  ...base,
  transform: { '^.+\\.ts$': ['<rootDir>/test/mutants/transform.js', base.transform['^.+\\.ts$'][1]] },
  reporters: [],
};
