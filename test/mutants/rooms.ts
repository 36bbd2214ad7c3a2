/** Sources whose mutants must die, the tests that have to kill them, and how many of the mutants are tried in a sample. */
export interface Room {
  readonly sources: readonly string[];
  readonly tests: string;
  readonly sample: number;
}

export const ROOMS: readonly Room[] = [
  { sources: ['src/direct'], tests: 'test/direct/', sample: 14 },
  { sources: ['src/brokers/direct'], tests: 'test/brokers/direct/', sample: 26 },
  {
    sources: ['src/brokers/link'],
    tests: 'test/brokers/link/(broker-connection|direct-link.test|gather|packet|publisher)',
    sample: 12,
  },
  { sources: ['src/identity'], tests: 'test/identity/', sample: 14 },
  {
    sources: ['src/policy/deciding'],
    tests: 'test/policy/(corpus|document|anonymous|untold|principals.test)',
    sample: 14,
  },
  { sources: ['src/brokers/door/packet-ids.ts'], tests: 'test/brokers/door/packet-ids', sample: 4 },
];

/** Mutants that once survived. Each must die. */
export const ONCE_SURVIVED: readonly { file: string; from: string; to: string; tests: string }[] = [
  {
    file: 'src/brokers/link/pending.ts',
    from: '}, OVERDUE_GRACE_MS);',
    to: '}, 0);',
    tests: 'test/brokers/link/broker-connection',
  },
  {
    file: 'src/brokers/link/broker-connection.ts',
    from: "this.leave('the broker owes the answer to a message');",
    to: '',
    tests: 'test/brokers/link/broker-connection',
  },
  {
    file: 'src/brokers/link/publisher.ts',
    from: 'performance.now() + timeoutMs',
    to: 'Infinity',
    tests: 'test/brokers/link/publisher',
  },
  {
    file: 'src/throttling/rate-limiter.ts',
    from: 'Math.min(burst, known.tokens + ((now - known.at) / 1000) * perSecond)',
    to: 'known.tokens + ((now - known.at) / 1000) * perSecond',
    tests: 'test/throttling/',
  },
  {
    file: 'src/throttling/rate-limiter.ts',
    from: 'if (oldest !== undefined) this.#buckets.delete(oldest);',
    to: '',
    tests: 'test/throttling/',
  },
  {
    file: 'src/telemetry/otel/flights.ts',
    from: 'if (startedAt > oldest && this.#reported.size <= MOST) return;',
    to: 'return;',
    tests: 'test/telemetry/tracing',
  },
  {
    file: 'src/brokers/embedded/authorize.ts',
    from: 'if (oldest !== undefined) allowed.delete(oldest);',
    to: '',
    tests: 'test/brokers/embedded/hook-order',
  },
  {
    file: 'src/brokers/direct/memory.ts',
    from: 'if (known.expiresAt > now) return;',
    to: 'return;',
    tests: 'test/brokers/direct/',
  },
  {
    file: 'src/brokers/direct/dispatch.ts',
    from: 'if (!this.pending.has(message)) return;',
    to: '',
    tests: 'test/brokers/direct/',
  },
];
