import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import { DOWN, FakeEmqx } from './fake-emqx.js';
import { RECORDED } from './recording.js';

const PEER = 'emqx2@127.0.0.1';

describe.each(RECORDED)('installing into a cluster of EMQX %s', (version) => {
  let emqx: FakeEmqx;

  beforeEach(async () => {
    emqx = await FakeEmqx.start(version);
    emqx.folder = ['tightbeam-0.1.0'];
  });
  afterEach(() => emqx.stop());

  const addPeer = () => emqx.nodes.push({ ...emqx.nodes[0], node: PEER });
  const plan = async () =>
    planInstall(await readState(emqx.api), {
      username: 'tightbeam',
      exclusive: false,
      exHookUrl: 'http://service:9000',
      plugin: { version: '0.1.0', upgrade: false },
    });
  const uninstall = async () => carryOut(emqx.api, planUninstall(await readState(emqx.api)));
  const install = async () => carryOut(emqx.api, await plan());

  it('starts the plugin on every node', async () => {
    addPeer();
    expect((await install()).left).toEqual([]);
    expect(await plan()).toEqual({ steps: [], left: [] });
  });

  it('starts the plugin on a node that lacks it', async () => {
    await install();
    addPeer();
    expect((await plan()).steps.map(({ what }) => what)).toEqual([
      'start the plugin tightbeam-0.1.0',
      'let EMQX load its hooks again, without those that the plugin makes needless',
    ]);
    expect((await install()).left).toEqual([]);
    expect(await plan()).toEqual({ steps: [], left: [] });
  });

  it('says on which node the plugin did not start, until it has', async () => {
    addPeer();
    emqx.refusing = [PEER];
    const left = [expect.stringContaining(`tightbeam-0.1.0 does not run on ${PEER}. EMQX's log says why`)];
    expect((await install()).left).toEqual(left);
    expect((await install()).left).toEqual(left);
    emqx.refusing = [];
    expect((await install()).left).toEqual([]);
  });

  it('brings the plugin to a node that lacks it before it removes it, for EMQX could not', async () => {
    await install();
    addPeer();
    emqx.changes.length = 0;
    expect((await uninstall()).left).toEqual([]);
    expect(emqx.changes.filter((change) => change.includes('/plugins/'))).toEqual([
      'PUT /plugins/tightbeam-0.1.0/start',
      'DELETE /plugins/tightbeam-0.1.0',
    ]);
  });

  it('removes nothing where a node cannot be given the plugin', async () => {
    await install();
    addPeer();
    emqx.unreached = [PEER];
    await expect(uninstall()).rejects.toThrow(/not on emqx2@127\.0\.0\.1 .* `emqx ctl plugins`/);
    expect(emqx.plugins).toHaveLength(1);
  });

  it('says on which node the plugin stays, for it is down', async () => {
    await install();
    emqx.nodes.push(DOWN);
    expect((await uninstall()).left).toEqual([expect.stringContaining('stays on emqx2@127.0.0.1, which is down')]);
    expect((await uninstall()).left).toEqual([]);
  });

  it('installs on the nodes that run, and says how it gets to one that is down', async () => {
    emqx.nodes.push(DOWN);
    expect((await install()).left).toEqual([]);
    expect(await plan()).toEqual({
      steps: [],
      left: [],
      notes: [expect.stringMatching(/^The node emqx2@127\.0\.0\.1 is down\. .*`tightbeam emqx doctor`/)],
    });
  });
});
