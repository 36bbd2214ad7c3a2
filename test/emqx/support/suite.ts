import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { type Bench, type BenchOptions, openBench } from './bench.js';
import { type Emqx, type Target, targets } from './targets.js';

/**
 * A file of the suite: runs `define` on every EMQX there is, with the service beside it and Tightbeam installed.
 * Without an EMQX every test of it is there and skipped, so that the summary counts what was not tried.
 *
 * @param options asked for once the suite runs.
 */
export function onEmqx(
  name: string,
  define: (bench: () => Bench, target: Target) => void,
  options: () => BenchOptions = () => ({}),
): void {
  const found = targets();
  for (const target of found) {
    describe(`${name}, on ${target.name}`, () => {
      define(withBench(target, options), target);
    });
  }
  if (found.length > 0) return;
  process.stderr.write(
    `${name}: skipped, there is no EMQX. Set TIGHTBEAM_EMQX_MQTT_URL, TIGHTBEAM_EMQX_API_URL, TIGHTBEAM_EMQX_API_KEY, ` +
      'TIGHTBEAM_EMQX_API_SECRET, TIGHTBEAM_EMQX_PLUGINS_DIR and TIGHTBEAM_EXHOOK_HOST, or start a Docker engine.\n',
  );
  describe.skip(`${name}, without an EMQX`, () => {
    define(() => {
      throw new Error('there is no EMQX');
    }, NOWHERE);
  });
}

const NOWHERE: Target = {
  name: 'no EMQX',
  canRestart: false,
  isLocal: false,
  start: () => Promise.reject(new Error('there is no EMQX')),
};

function withBench(target: Target, options: () => BenchOptions): () => Bench {
  let bench: Bench | undefined;
  let emqx: Emqx | undefined;
  beforeAll(async () => {
    emqx = await target.start();
    bench = await openBench(emqx, options());
  }, 300_000);
  afterAll(async () => {
    await bench?.close();
    await emqx?.close();
  }, 60_000);
  return () => {
    if (bench === undefined) throw new Error('EMQX did not start');
    return bench;
  };
}

/** A test that the summary counts as skipped where the target does not allow it. */
export const testIf = (condition: boolean): typeof test.skip => (condition ? test : test.skip);
