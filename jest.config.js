import { availableParallelism } from 'node:os';

/** Tests run as the ES modules that ship: swc only strips the types, so no test sees other module semantics. */
export default {
  testEnvironment: 'node',
  // Ends a test that hangs. Nothing is timed by it, so it is far beyond what the slowest machine takes.
  testTimeout: 300_000,
  // A third of what the suites take is waiting, for sockets and processes.
  maxWorkers: Math.ceil(1.5 * availableParallelism()),
  roots: ['<rootDir>/test', '<rootDir>/src'],
  // What the benchmarks are compiled to has a package.json of the same name.
  modulePathIgnorePatterns: ['<rootDir>/build/'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
};
