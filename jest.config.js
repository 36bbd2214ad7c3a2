/** Tests run as the ES modules that ship: swc only strips the types, so no test sees other module semantics. */
export default {
  testEnvironment: 'node',
  // Ends a test that hangs. Nothing is timed by it, so it is far beyond what the slowest machine takes.
  testTimeout: 300_000,
  // Jest would leave one processor to watch.
  maxWorkers: '100%',
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
