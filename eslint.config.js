import js from '@eslint/js';
import tseslint from 'typescript-eslint';

/** The domain: what it may not import keeps the folder tree true. */
const TRANSPORTS = ['exhook', 'http', 'brokers', 'telemetry', 'cli', 'console'];
const TRANSPORT_PACKAGES = [
  '@grpc/*',
  'mqtt',
  'mqtt-packet',
  'aedes',
  'fastify',
  'pino',
  '@opentelemetry/*',
  'node:http',
  'node:https',
  'node:net',
];

export default tseslint.config(
  { ignores: ['dist/', 'build/', 'coverage/', 'node_modules/', 'examples/'] },
  js.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    languageOptions: {
      parserOptions: { projectService: { allowDefaultProject: ['*.js'] }, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      'max-lines': ['warn', { max: 300, skipBlankLines: true, skipComments: true }],
      'no-console': 'error',
    },
  },
  {
    files: [
      'src/policy/**',
      'src/direct/**',
      'src/clients/**',
      'src/operations/**',
      'src/throttling/**',
      'src/identity/**',
      'src/observing/**',
      'src/reasons.ts',
    ],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          patterns: [
            {
              group: TRANSPORTS.map((name) => `**/${name}/**`),
              message: 'The domain imports no transport and no telemetry.',
            },
            { group: TRANSPORT_PACKAGES, message: 'The domain imports no transport and no telemetry.' },
          ],
        },
      ],
    },
  },
  // A table, whose length is the number of its rows.
  { files: ['src/reasons.ts'], rules: { 'max-lines': 'off' } },
  { files: ['**/*.js'], extends: [tseslint.configs.disableTypeChecked] },
);
