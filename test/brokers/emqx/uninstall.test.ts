import { beforeEach, describe, expect, it } from '@jest/globals';
import { carryOut } from '../../../src/brokers/emqx/install/install.js';
import type { ProbeResult } from '../../../src/brokers/link/probe.js';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import { type FakeEmqx, SHIPPED_ACL } from './fake-emqx.js';
import { Installing } from './installing.js';
import { RECORDED } from './recording.js';

const KEPT = '$tightbeam/no_match/before/allow';

describe.each(RECORDED)('uninstalling from EMQX %s', (version) => {
  const subject = new Installing(version);
  const { install, uninstall, rulesInForce } = subject;
  let emqx: FakeEmqx;
  beforeEach(() => {
    emqx = subject.emqx;
  });

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

  describe('where EMQX may keep hooks', () => {
    /** A client that tries: EMQX refuses it while hooks are left of which no server is. */
    const knock = () =>
      Promise.resolve<ProbeResult[]>([
        emqx.refusesEverybody
          ? { kind: 'notConnected', why: 'Not authorized', isRefused: true }
          : { kind: 'answered', reasonCode: 0x10 },
      ]);
    const carefully = async () => carryOut(emqx.api, planUninstall(await readState(emqx.api), knock));

    it('has nothing left to do where clients get in', async () => {
      await install();
      expect((await carefully()).left).toEqual([]);
      expect(emqx.exHooks).toEqual([]);
    });

    it('lets the policies go on where nobody would get in, and says how the hooks go', async () => {
      await install();
      emqx.reloads = 1;
      const [left] = (await carefully()).left;
      expect(emqx.refusesEverybody).toBe(false);
      expect(emqx.exHooks).toEqual([expect.objectContaining({ name: 'tightbeam', failed_action: 'ignore' })]);
      expect(emqx.settings).toMatchObject({ no_match: 'allow' });
      expect(left).toMatch(/registered again.*run `emqx eval "emqx_hooks:del\(.* on each node.*and then this again/);
    });

    it('says loudest where the service is away too, so that nobody gets in', async () => {
      await install();
      emqx.reloads = 1;
      emqx.reachable = false;
      expect((await carefully()).left).toEqual([expect.stringContaining('NOBODY GETS IN UNTIL THIS IS DONE')]);
    });

    it('does not take the refusal of an authenticator for it', async () => {
      await install();
      emqx.reloads = 1;
      emqx.authenticators = [{ mechanism: 'password_based', backend: 'mysql', enable: true }];
      expect((await carefully()).left).toEqual([]);
    });
  });

  it('keeps rules that were written since', async () => {
    emqx.sources = [];
    await install();
    const [file] = emqx.sources;
    emqx.sources = [{ ...file, rules: `${file?.['rules'] as string}{deny, {username, "mallory"}, all, ["#"]}.\n` }];
    await uninstall();
    expect(rulesInForce()).toEqual(['{deny,{username,"mallory"},all,["#"]}']);
  });

  describe('where somebody has restored the ACL by hand', () => {
    const restoreAcl = () => {
      emqx.sources = [{ type: 'file', enable: true, rules: SHIPPED_ACL }];
    };

    it.each(['allow', 'deny'])('no_match becomes %s again, as it was', async (noMatch) => {
      emqx.settings = { ...emqx.settings, no_match: noMatch };
      const before = emqx.configuration;
      await install();
      restoreAcl();
      await uninstall();
      expect(emqx.configuration).toEqual(before);
    });

    it.each(['allow', 'deny'])('and installed again, no_match becomes %s again', async (noMatch) => {
      emqx.settings = { ...emqx.settings, no_match: noMatch };
      const before = emqx.configuration;
      await install();
      restoreAcl();
      await install();
      expect(emqx.settings).toMatchObject({ no_match: 'deny' });
      await uninstall();
      expect(emqx.configuration).toEqual(before);
    });

    it('what others have listed beside it stays', async () => {
      emqx.settings = { ...emqx.settings, cache: { enable: true, ttl: '1m', excludes: ['a/#'] } };
      await install();
      emqx.settings = { ...emqx.settings, cache: { enable: true, ttl: '1m', excludes: ['a/#', 'b', KEPT] } };
      await uninstall();
      expect(emqx.settings).toMatchObject({ no_match: 'allow', cache: { excludes: ['a/#', 'b'] } });
    });

    it('before EMQX 5.5, whose settings have no such list, no_match stays deny: nobody is let in by a guess', async () => {
      emqx.settings = { no_match: 'allow', deny_action: 'ignore', cache: { enable: true, ttl: '1m' } };
      await install();
      restoreAcl();
      await uninstall();
      expect(emqx.settings).toMatchObject({ no_match: 'deny' });
    });
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
