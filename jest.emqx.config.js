import base from './jest.config.js';

/** The integration suite on a real EMQX: one file after the other, for they share it. `npm run test:emqx`. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/emqx/**/*.emqx.ts'],
  testTimeout: 300_000,
  maxWorkers: 1,
  reporters: ['default', '<rootDir>/test/emqx/support/matrix-reporter.js'],
};
