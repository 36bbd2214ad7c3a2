import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Bench, type BenchOptions, openBench } from './bench.js';
import { clusters } from './clusters.js';
import { type Emqx, type Target, targets } from './targets.js';

/** What a file of the suite is made of: on every target, with the service beside it and Tightbeam installed. */
type Define = (bench: () => Bench, target: Target) => void;

const VARIABLES =
  'TIGHTBEAM_EMQX_TARGETS, or TIGHTBEAM_EMQX_MQTT_URL, TIGHTBEAM_EMQX_API_URL, TIGHTBEAM_EMQX_API_KEY, ' +
  'TIGHTBEAM_EMQX_API_SECRET, TIGHTBEAM_EMQX_PLUGINS_DIR and TIGHTBEAM_EXHOOK_HOST';

/**
 * A file of the suite: runs `define` on every EMQX there is, with the service beside it and Tightbeam installed.
 * Without an EMQX every test of it is there and skipped, so that the summary counts what was not tried.
 *
 * @param options asked for once the suite runs.
 */
export function onEmqx(name: string, define: Define, options: () => BenchOptions = () => ({})): void {
  for (const target of targets()) onTarget(name, target, define, options);
  if (targets().length === 0) skip(NOWHERE, name, `set ${VARIABLES}, or start a Docker engine`, define);
}

/** The same on a cluster of two nodes: `bench().emqx` is the first, and has a `peer`. */
export function onCluster(name: string, define: Define): void {
  for (const target of clusters()) {
    if (target.isCluster) onTarget(name, target, define, () => ({}));
    else skip(target, name, 'no second node, by peer or TIGHTBEAM_EMQX_PEER_MQTT_URL', define);
  }
  if (clusters().length === 0) skip(NOWHERE, name, `set ${VARIABLES}, or start a Docker engine`, define);
}

/** Titles by which matrix-reporter.js finds the EMQX, and why something was not tried. */
function onTarget(name: string, target: Target, define: Define, options: () => BenchOptions): void {
  describe(`On ${target.name}`, () => {
    describe(name, () => {
      define(withBench(target, options), target);
    });
  });
}

function skip(target: Target, name: string, why: string, define: Define): void {
  describe(`On ${target.name}`, () => {
    describe.skip(`${name} [not tried: ${why}]`, () => {
      define(() => {
        throw new Error('there is no EMQX');
      }, target);
    });
  });
}

const NOWHERE: Target = {
  name: 'no EMQX',
  canRestart: false,
  canCtl: false,
  isCluster: false,
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
    const versions = (await bench.api.nodes()).map(({ version }) => version);
    // Of what is called a run on one version, nothing may be one on another.
    if (target.version !== undefined) expect(new Set(versions)).toEqual(new Set([target.version]));
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

/** A test that the summary counts as skipped where the target does not allow it, with what it lacks. */
export function testIf(condition: boolean, lacks: string): typeof test.skip {
  if (condition) return test;
  return ((title: string, ...rest: [() => void, number?]) => {
    test.skip(`${title} [not tried: ${lacks}]`, ...rest);
  }) as typeof test.skip;
}
