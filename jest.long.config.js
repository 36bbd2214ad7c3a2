import process from 'node:process';
import base from './jest.config.js';

// Workers inherit it: test/long.ts.
process.env['TIGHTBEAM_TEST_LONG'] = '1';

/** What takes long and seldom finds something: properties with many more runs, and soaks. `npm run test:long`. */
export default {
  ...base,
  testMatch: [
    '<rootDir>/test/**/*.long.ts',
    '<rootDir>/test/aws/one-delivery.test.ts',
    '<rootDir>/test/aws/sdk.test.ts',
    '<rootDir>/test/brokers/direct/interleavings.test.ts',
    '<rootDir>/test/http/batch-docs.test.ts',
    '<rootDir>/test/http/fuzz.test.ts',
    '<rootDir>/test/identity/sigv4.test.ts',
    '<rootDir>/test/policy/properties.test.ts',
    '<rootDir>/test/policy/questions.test.ts',
  ],
  testTimeout: 600_000,
};
