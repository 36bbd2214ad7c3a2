import base from './jest.config.js';

/** The console in a real Chromium, after `npm run build`. `npm run test:console`. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/console/**/*.browser.ts'],
  testTimeout: 120_000,
  maxWorkers: 1,
};
