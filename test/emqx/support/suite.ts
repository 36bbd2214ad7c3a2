import { afterAll, beforeAll, describe, test } from '@jest/globals';
import { type Bench, type BenchOptions, openBench } from './bench.js';
import { clusters } from './clusters.js';
import { type Emqx, type Target, targets } from './targets.js';

/** What a file of the suite is made of: on every target, with the service beside it and Tightbeam installed. */
type Define = (bench: () => Bench, target: Target) => void;

const VARIABLES =
  'TIGHTBEAM_EMQX_MQTT_URL, TIGHTBEAM_EMQX_API_URL, TIGHTBEAM_EMQX_API_KEY, TIGHTBEAM_EMQX_API_SECRET, ' +
  'TIGHTBEAM_EMQX_PLUGINS_DIR and TIGHTBEAM_EXHOOK_HOST';

/**
 * A file of the suite: runs `define` on every EMQX there is, with the service beside it and Tightbeam installed.
 * Without an EMQX every test of it is there and skipped, so that the summary counts what was not tried.
 *
 * @param options asked for once the suite runs.
 */
export function onEmqx(name: string, define: Define, options: () => BenchOptions = () => ({})): void {
  onTargets(name, targets(), `there is no EMQX. Set ${VARIABLES}, or start a Docker engine`, define, options);
}

/** The same on a cluster of two nodes: `bench().emqx` is the first, and has a `peer`. */
export function onCluster(name: string, define: Define): void {
  const mend = `Set TIGHTBEAM_EMQX_PEER_MQTT_URL beside ${VARIABLES}, or start a Docker engine`;
  onTargets(name, clusters(), `there is no cluster of EMQX. ${mend}`, define, () => ({}));
}

function onTargets(
  name: string,
  found: readonly Target[],
  why: string,
  define: Define,
  options: () => BenchOptions,
): void {
  for (const target of found) {
    describe(`${name}, on ${target.name}`, () => {
      define(withBench(target, options), target);
    });
  }
  if (found.length > 0) return;
  process.stderr.write(`${name}: skipped, ${why}.\n`);
  describe.skip(`${name}, without an EMQX`, () => {
    define(() => {
      throw new Error('there is no EMQX');
    }, NOWHERE);
  });
}

const NOWHERE: Target = {
  name: 'no EMQX',
  canRestart: false,
  canKillPeer: false,
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
