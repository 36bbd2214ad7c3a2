import type { Named } from './mutations.js';

/** Sources whose mutants must die, the tests that have to kill them, and how many of the mutants are tried in a sample. */
export interface Room {
  readonly sources: readonly string[];
  readonly tests: readonly string[];
  readonly sample: number;
}

export const ROOMS: readonly Room[] = [
  { sources: ['src/direct'], tests: ['test/direct', 'test/http/batch.test.ts'], sample: 30 },
  {
    sources: ['src/brokers/direct'],
    tests: ['test/brokers/direct', 'test/brokers/embedded'],
    sample: 40,
  },
  { sources: ['src/brokers/link'], tests: ['test/brokers/link'], sample: 30 },
  { sources: ['src/identity'], tests: ['test/identity', 'test/http/mutual-tls.test.ts'], sample: 30 },
  {
    sources: ['src/policy/deciding'],
    tests: [
      'test/policy/anonymous.test.ts',
      'test/policy/corpus.test.ts',
      'test/policy/document.test.ts',
      'test/policy/hostile.test.ts',
      'test/policy/principals.test.ts',
      'test/policy/untold-facts.test.ts',
      'test/policy/work.test.ts',
    ],
    sample: 30,
  },
  {
    sources: ['src/brokers/door'],
    tests: [
      'test/brokers/door',
      'test/brokers/mosquitto/direct.test.ts',
      'test/brokers/mosquitto/direct-refusals.test.ts',
      'test/brokers/mosquitto/door.test.ts',
      'test/brokers/mosquitto/listeners.test.ts',
      'test/brokers/mosquitto/protocol.test.ts',
    ],
    sample: 20,
  },
  { sources: ['src/brokers/embedded'], tests: ['test/brokers/embedded'], sample: 20 },
  { sources: ['src/brokers/emqx'], tests: ['test/brokers/emqx'], sample: 20 },
  { sources: ['src/throttling'], tests: ['test/throttling'], sample: 10 },
  { sources: ['src/telemetry/otel/flights.ts'], tests: ['test/telemetry/tracing.test.ts'], sample: 0 },
];

/** Mutants that once survived, or that no rule makes. Each must die. */
export const NAMED: readonly Named[] = [
  {
    file: 'src/brokers/link/broker-connection.ts',
    from: "this.leave('the broker owes the answer to a message')",
    to: '0',
  },
  { file: 'src/brokers/link/publisher.ts', from: 'performance.now() + timeoutMs', to: 'Infinity' },
  {
    file: 'src/throttling/rate-limiter.ts',
    from: 'Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond)',
    to: 'known.tokens + ((now - known.at) / 1000) * perSecond',
  },
  { file: 'src/throttling/rate-limiter.ts', from: 'this.#buckets.size > this.#maxKeys', to: 'false' },
  {
    file: 'src/telemetry/otel/flights.ts',
    from: 'startedAt > oldest && this.#reported.size <= MOST',
    to: 'true',
  },
  { file: 'src/brokers/embedded/authorize.ts', from: 'allowed.delete(oldest)', to: '0' },
  { file: 'src/brokers/direct/memory.ts', from: 'known.expiresAt > now', to: 'true' },
  { file: 'src/brokers/direct/dispatch.ts', from: '!this.pending.has(message)', to: 'false' },
];
