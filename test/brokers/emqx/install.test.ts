import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { activeRules } from '../../../src/brokers/emqx/install/acl.js';
import { carryOut, type InstallOptions, planInstall } from '../../../src/brokers/emqx/install/install.js';
import { packageVersion } from '../../../src/brokers/emqx/install/plan-plugin.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import { FakeEmqx } from './fake-emqx.js';
import { RECORDED } from './recording.js';

const PACKAGE = { version: '0.1.0', content: new TextEncoder().encode('package') };
const OPTIONS = {
  username: 'tightbeam',
  exclusive: false,
  exHookUrl: 'http://service:9000',
  reachWithinMs: 600,
  plugin: { package: PACKAGE, version: '0.1.0', upgrade: false, allowWithinMs: 0 },
} satisfies InstallOptions;
const { exclusive, reachWithinMs, plugin } = OPTIONS;
const NEITHER_ADDRESS_NOR_USER = { exclusive, reachWithinMs, plugin };
const SERVICE_RULE = '{allow,{username,"tightbeam"},all,["$dm/#"]}';

describe.each(RECORDED)('installing into EMQX %s', (version) => {
  let emqx: FakeEmqx;

  beforeEach(async () => {
    emqx = await FakeEmqx.start(version);
    emqx.allowed = ['tightbeam-0.1.0', 'tightbeam-0.2.0'];
  });
  afterEach(() => emqx.stop());

  const plan = async (options: Partial<InstallOptions> = {}) =>
    planInstall(await readState(emqx.api), { ...OPTIONS, ...options });
  const install = async (options: Partial<InstallOptions> = {}) => carryOut(emqx.api, await plan(options));
  const uninstall = async () => carryOut(emqx.api, planUninstall(await readState(emqx.api)));
  const rulesInForce = () =>
    emqx.sources
      .filter(({ type, enable }) => type === 'file' && enable === true)
      .flatMap(({ rules }) => activeRules(rules as string));

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
    expect(emqx.settings).toMatchObject({ no_match: 'deny', cache: { excludes: [] } });
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

  describe('the plugin', () => {
    it('is left to the administrator where EMQX wants its leave first, with the very command', async () => {
      emqx.allowed = [];
      const { left } = await install();
      expect(left).toEqual([expect.stringContaining('`emqx ctl plugins allow tightbeam-0.1.0`')]);
      expect(emqx.settings).toMatchObject({ no_match: 'deny' });
    });

    it('is uploaded as soon as the administrator has allowed it, within a bound', async () => {
      emqx.allowed = [];
      const said: string[] = [];
      const audience = {
        signal: new AbortController().signal,
        say: (line: string) => {
          said.push(line);
          emqx.allowed = ['tightbeam-0.1.0'];
        },
      };
      const waiting = { ...plugin, allowWithinMs: 60_000 };
      const { left } = await carryOut(emqx.api, await plan({ plugin: waiting }), undefined, audience);
      expect(left).toEqual([]);
      expect(said).toEqual([
        expect.stringMatching(/administrator.*\n {8}emqx ctl plugins allow tightbeam-0\.1\.0$/),
        expect.stringMatching(/^waiting for it, 1 min at the most \(Ctrl-C stops/),
      ]);
      expect(emqx.plugins).toEqual([expect.objectContaining({ rel_vsn: '0.1.0' })]);
    });

    it('is waited for no longer than somebody is there to wait, and authorization is as it was', async () => {
      emqx.allowed = [];
      const stop = new AbortController();
      const audience = {
        signal: stop.signal,
        say: () => {
          stop.abort();
        },
      };
      const waiting = { ...plugin, allowWithinMs: 60_000 };
      await expect(carryOut(emqx.api, await plan({ plugin: waiting }), undefined, audience)).rejects.toThrow(
        /^Stopped while waiting/,
      );
      expect(rulesInForce()).toContain('{allow,all}');
      expect(emqx.changes).toEqual(['POST /exhooks', 'POST /plugins/install']);
    });

    it.each([
      ['5.8.11', true],
      ['5.10.3', false],
      ['6.0.2', false],
      ['6.0.3', true],
      ['6.1.2', true],
      ['6.2.0', false],
      ['6.3.0-beta.2', true],
      ['7.0.0', true],
    ])('is allowed with its hash where EMQX takes one: %s %s', async (release, isPinned) => {
      emqx.allowed = [];
      emqx.nodes = [{ ...emqx.nodes[0], version: release }];
      const [left] = (await install()).left;
      const [, command, hash] =
        /`(emqx ctl plugins allow tightbeam-0\.1\.0)( sha256:[0-9a-f]{64})?`/.exec(left ?? '') ?? [];
      expect([command !== undefined, hash !== undefined]).toEqual([true, isPinned]);
      emqx.allowed = [`tightbeam-0.1.0${hash ?? ''}`];
      expect((await install()).left).toEqual([]);
    });

    it('says that it was another package which was allowed', async () => {
      emqx.allowed = [`tightbeam-0.1.0 sha256:${'0'.repeat(64)}`];
      const said: string[] = [];
      const stop = new AbortController();
      const audience = {
        signal: stop.signal,
        say: (line: string) => {
          said.push(line);
          if (line.startsWith('waiting')) stop.abort();
        },
      };
      const waiting = { ...plugin, allowWithinMs: 60_000 };
      await expect(carryOut(emqx.api, await plan({ plugin: waiting }), undefined, audience)).rejects.toThrow(/Stopped/);
      expect(said[1]).toMatch(/^it was allowed for a package of another hash than [0-9a-f]{64}$/);
    });

    it('is not waited for where it is the API key that may not, and what it needs is said', async () => {
      emqx.outOfScope = ['plugins'];
      await expect(install()).rejects.toThrow(/403 UNAUTHORIZED_ROLE: .*needs the role administrator.*system/);
    });

    it('is started from the plugins folder without an upload', async () => {
      emqx.folder = ['tightbeam-0.1.0'];
      const { left } = await install({ plugin: { version: '0.1.0', upgrade: false } });
      expect(left).toEqual([]);
      expect(emqx.changes).not.toContain('POST /plugins/install');
      expect(emqx.plugins).toHaveLength(1);
    });

    it('is asked for where it is neither given nor there', async () => {
      const { left } = await install({ plugin: { version: '0.1.0', upgrade: false } });
      expect(left).toEqual([expect.stringContaining('--plugin tightbeam-0.1.0.tar.gz')]);
    });

    it('is started again where it was stopped', async () => {
      emqx.addPlugin('0.1.0', 'stopped');
      await install();
      expect(emqx.changes).toContain('PUT /plugins/tightbeam-0.1.0/start');
      expect((await plan()).steps).toEqual([]);
    });

    it('is replaced by another version only with --upgrade', async () => {
      emqx.addPlugin('0.1.0');
      const next = { package: { ...PACKAGE, version: '0.2.0' }, version: '0.2.0' };
      expect((await install({ plugin: { ...next, upgrade: false } })).left).toEqual([
        expect.stringContaining('--upgrade'),
      ]);
      expect(emqx.plugins).toEqual([expect.objectContaining({ rel_vsn: '0.1.0' })]);
      await install({ plugin: { ...next, upgrade: true } });
      expect(emqx.plugins).toEqual([
        expect.objectContaining({ rel_vsn: '0.2.0', running_status: [expect.objectContaining({ status: 'running' })] }),
      ]);
    });

    it('of the old version stays where nobody allows the new one, as far as EMQX takes two', async () => {
      emqx.addPlugin('0.1.0');
      emqx.allowed = [];
      const next = { package: { ...PACKAGE, version: '0.2.0' }, version: '0.2.0', upgrade: true, allowWithinMs: 0 };
      expect((await install({ plugin: next })).left).toEqual([
        expect.stringContaining('emqx ctl plugins allow tightbeam-0.2.0'),
      ]);
      expect(emqx.plugins).toHaveLength(version === '5.8.9' ? 0 : 1);
    });

    it('is not replaced by --upgrade without a package, which is said where it is of another version', async () => {
      emqx.addPlugin('0.1.0');
      expect((await install({ plugin: { version: '0.2.0', upgrade: true } })).left).toEqual([
        expect.stringContaining('--plugin tightbeam-0.2.0.tar.gz'),
      ]);
      expect(emqx.plugins).toEqual([expect.objectContaining({ rel_vsn: '0.1.0' })]);
      expect((await install({ plugin: { version: '0.1.0', upgrade: true } })).left).toEqual([]);
    });

    it('takes its version from the file name', () => {
      expect(packageVersion('tightbeam-0.1.0-rc.1.tar.gz')).toBe('0.1.0-rc.1');
      expect(() => packageVersion('other-0.1.0.tar.gz')).toThrow('is not named tightbeam-VERSION.tar.gz');
    });
  });

  describe('uninstall', () => {
    it.each([
      ['a fresh EMQX', () => {}],
      [
        'an EMQX without any source',
        () => {
          emqx.sources = [];
        },
      ],
      [
        'an EMQX whose ACL is disabled',
        () => {
          emqx.sources = [{ type: 'file', enable: false, rules: '{deny, all}.' }];
        },
      ],
      [
        'an EMQX before 5.5',
        () => {
          emqx.settings = { no_match: 'allow', deny_action: 'ignore', cache: { enable: true, ttl: '1m' } };
        },
      ],
      [
        'an EMQX that denies by default and excludes other topics',
        () => {
          emqx.settings = {
            no_match: 'deny',
            deny_action: 'disconnect',
            cache: { enable: true, ttl: '1m', excludes: ['a/#'] },
          };
        },
      ],
      [
        'an EMQX with another ExHook server',
        () => {
          emqx.addForeignExHook('audit', 'ignore', ['message.publish']);
        },
      ],
    ])('leaves %s as it was', async (_, arrange) => {
      arrange();
      const before = emqx.configuration;
      await install();
      await install();
      await uninstall();
      expect(emqx.configuration).toEqual(before);
      expect(planUninstall(await readState(emqx.api)).steps).toEqual([]);
    });

    it('removes the plugin before the hooks, for its guard denies without them', async () => {
      await install();
      emqx.changes.length = 0;
      await uninstall();
      expect(emqx.changes.slice(-2)).toEqual(['DELETE /plugins/tightbeam-0.1.0', 'DELETE /exhooks/tightbeam']);
    });

    it('keeps rules that were written since', async () => {
      emqx.sources = [];
      await install();
      const [file] = emqx.sources;
      emqx.sources = [{ ...file, rules: `${file?.['rules'] as string}{deny, {username, "mallory"}, all, ["#"]}.\n` }];
      await uninstall();
      expect(rulesInForce()).toEqual(['{deny,{username,"mallory"},all,["#"]}']);
    });

    it('keeps settings that were there before', async () => {
      emqx.settings = {
        no_match: 'deny',
        deny_action: 'ignore',
        cache: { enable: true, ttl: '1m', excludes: ['$dm/#'] },
      };
      await install();
      await uninstall();
      expect(emqx.settings).toMatchObject({ no_match: 'deny', cache: { excludes: ['$dm/#'] } });
    });
  });
});
