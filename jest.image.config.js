import base from './jest.config.js';

/** The images, as containers. `npm run test:image` builds them first. */
export default {
  ...base,
  testMatch: ['<rootDir>/test/image/**/*.image.ts'],
  maxWorkers: 1,
};
