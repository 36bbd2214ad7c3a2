import base from './jest.config.js';

/** Sources with mutants in them, which `npm run test:mutants` writes and picks from. */
export default {
  ...base,
  roots: ['<rootDir>/src', '<rootDir>/test'],
  testEnvironment: '<rootDir>/test/mutants/environment.js',
  transform: { '^.+\\.ts$': ['<rootDir>/test/mutants/transform.js', base.transform['^.+\\.ts$'][1]] },
  reporters: [],
};
