import { beforeEach, describe, expect, it } from '@jest/globals';
import { carryOut, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import type { FakeEmqx } from './fake-emqx.js';
import { Installing, OPTIONS, SERVICE_RULE } from './installing.js';
import { RECORDED } from './recording.js';

const KEPT = '$tightbeam/no_match/before/allow';
const { exclusive, reachWithinMs, plugin } = OPTIONS;
const NEITHER_ADDRESS_NOR_USER = { exclusive, reachWithinMs, plugin };

describe.each(RECORDED)('installing into EMQX %s', (version) => {
  const subject = new Installing(version);
  const { plan, install, uninstall, rulesInForce } = subject;
  let emqx: FakeEmqx;
  beforeEach(() => {
    emqx = subject.emqx;
  });

  it('registers the hooks, starts the plugin, and lets the policies decide', async () => {
    const { left } = await install();
    expect(left).toEqual([]);
    expect(emqx.exHooks).toEqual([
      expect.objectContaining({
        name: 'tightbeam',
        url: 'http://service:9000',
        enable: true,
        failed_action: 'deny',
        auto_reconnect: '5s',
        request_timeout: '5s',
      }),
    ]);
    expect(emqx.plugins).toEqual([
      expect.objectContaining({ rel_vsn: '0.1.0', running_status: [expect.objectContaining({ status: 'running' })] }),
    ]);
    expect(rulesInForce()).toEqual([SERVICE_RULE]);
    expect(emqx.settings).toMatchObject({ no_match: 'deny', cache: { excludes: [KEPT] } });
  });

  it('makes its changes in the order that locks nobody out on the way', async () => {
    await install();
    expect(emqx.changes).toEqual([
      'POST /exhooks',
      'POST /plugins/install',
      'PUT /plugins/tightbeam-0.1.0/start',
      'PUT /authorization/sources/file',
      'PUT /authorization/settings',
    ]);
  });

  it('has nothing to do a second time', async () => {
    await install();
    expect(await plan()).toEqual({ steps: [], left: [] });
  });

  it('keeps the registered URL and the user of the ACL where none is given', async () => {
    const replan = async () => planInstall(await readState(emqx.api), NEITHER_ADDRESS_NOR_USER);
    await install({ username: 'a "service"', exHookUrl: 'http://elsewhere:9001' });
    expect(await replan()).toEqual({ steps: [], left: [] });
    emqx.sources = [{ type: 'file', enable: true, rules: '{allow, {username, "by file"}, all, ["$dm/#"]}.\n' }];
    expect(await replan()).toEqual({ steps: [], left: [] });
    expect((await plan()).steps.map(({ what }) => what)).toEqual([
      'change the ExHook server tightbeam',
      'change the ACL (authorization source "file")',
    ]);
  });

  it('takes the service for a neighbour of EMQX, with its default user, where nothing is given and nothing there', async () => {
    await carryOut(emqx.api, planInstall(await readState(emqx.api), NEITHER_ADDRESS_NOR_USER));
    expect(emqx.exHooks).toEqual([expect.objectContaining({ url: 'http://127.0.0.1:9000' })]);
    expect(rulesInForce()).toEqual([SERVICE_RULE]);
  });

  it('has nothing to do where all is configured by files', async () => {
    await install();
    emqx.sources = [{ type: 'file', enable: true, rules: '{allow, {username, "tightbeam"}, all, ["$dm/#"]}.\n' }];
    expect(await plan()).toEqual({ steps: [], left: [] });
  });

  it('shows every change beforehand, and makes none of them by planning', async () => {
    const { steps } = await plan();
    expect(steps.map(({ what, detail }) => [what, detail])).toEqual([
      ['register the ExHook server tightbeam', expect.arrayContaining(['failed_action: not set -> "deny"'])],
      ['upload and start the plugin tightbeam-0.1.0', undefined],
      ['let EMQX load its hooks again, without those that the plugin makes needless', []],
      [
        'change the ACL (authorization source "file")',
        expect.arrayContaining(['+ the user tightbeam may use $dm/#', '- {allow,all} (kept as a comment)']),
      ],
      ['change the authorization settings', expect.arrayContaining(['no_match: "allow" -> "deny"'])],
    ]);
    expect(emqx.changes).toEqual([]);
  });

  describe('where EMQX does not reach the service', () => {
    it('stops before anything that would lock clients out, and says why', async () => {
      emqx.reachable = false;
      await expect(install()).rejects.toThrow(
        /does not reach the service at http:\/\/service:9000: emqx\d+@127\.0\.0\.1 \(connecting\)/,
      );
      expect(emqx.changes).toEqual(['POST /exhooks']);
      expect(rulesInForce()).toContain('{allow,all}');
    });

    it('stops there each time that it is run', async () => {
      emqx.reachable = false;
      await expect(install()).rejects.toThrow(/does not reach/);
      expect((await plan()).steps[0]?.what).toBe('wait for EMQX to reach http://service:9000');
      await expect(install()).rejects.toThrow(/does not reach/);
      expect(emqx.changes).toEqual(['POST /exhooks']);
    });
  });

  describe('beside the work of others', () => {
    const CUSTOM = '{allow, {username, "ops"}, all, ["plant/#"]}.\n';

    it('keeps rules and sources of others, and says that they decide first', async () => {
      emqx.sources = [
        { type: 'http', enable: true, url: 'http://authz', password: '******' },
        { type: 'file', enable: true, rules: CUSTOM },
      ];
      const { notes } = await plan();
      expect((await install()).left).toEqual([]);
      expect(rulesInForce()).toEqual([SERVICE_RULE, '{allow,{username,"ops"},all,["plant/#"]}']);
      expect(emqx.sources[0]).toMatchObject({ type: 'http', enable: true });
      expect(notes).toEqual([expect.stringContaining('{allow,{username,"ops"}'), expect.stringContaining('http')]);
      expect((await plan()).steps).toEqual([]);
    });

    it('leaves a setting that has the policies asked about other topics, and says what it costs', async () => {
      emqx.listeners = [{ id: 'tcp:default', enable: true, enable_authn: true, mountpoint: 'plant/' }];
      expect((await plan()).left).toEqual([]);
      emqx.settings = { ...emqx.settings, include_mountpoint: true };
      expect((await install()).left).toEqual([
        expect.stringMatching(/include_mountpoint is on.*tcp:default \(plant\/\)/),
      ]);
      expect(emqx.settings).toMatchObject({ include_mountpoint: true });
    });

    it('switches them off with --exclusive, and on again by uninstall', async () => {
      emqx.sources = [
        { type: 'http', enable: true, url: 'http://authz', password: '******' },
        { type: 'file', enable: true, rules: CUSTOM },
      ];
      const before = emqx.configuration;
      expect((await install({ exclusive: true })).left).toEqual([]);
      expect(rulesInForce()).toEqual([SERVICE_RULE]);
      expect(emqx.sources[0]).toMatchObject({ type: 'http', enable: false, password: '******' });
      expect((await plan({ exclusive: true })).steps).toEqual([]);
      await uninstall();
      expect(emqx.configuration).toEqual(before);
    });

    it('keeps what they have tuned in the registration', async () => {
      await install();
      emqx.exHooks[0] = { ...emqx.exHooks[0], url: 'http://old:9000', pool_size: 32, auto_reconnect: '60s' };
      const { steps } = await plan();
      expect(steps.map(({ detail }) => detail)).toEqual([
        ['url: "http://old:9000" -> "http://service:9000"', 'auto_reconnect: "60s" -> "5s"'],
      ]);
      await install();
      expect(emqx.exHooks).toEqual([
        expect.objectContaining({ url: 'http://service:9000', pool_size: 32, auto_reconnect: '5s' }),
      ]);
    });

    it('does not stop message.publish of another ExHook server', async () => {
      emqx.addForeignExHook('audit', 'ignore', ['message.publish']);
      const { notes } = await plan();
      expect((await install()).left).toEqual([]);
      expect(emqx.exHooks[1]).toMatchObject({ name: 'tightbeam', failed_action: 'ignore' });
      expect(notes).toEqual([expect.stringContaining('audit has registered message.publish')]);
    });

    it('goes in front of a server that would stop EMQX from asking for authentication', async () => {
      emqx.addForeignExHook('audit', 'deny', ['message.delivered']);
      await install();
      expect(emqx.exHooks.map(({ name }) => name)).toEqual(['tightbeam', 'audit']);
      expect((await plan()).steps).toEqual([]);
    });
  });
});
