import { beforeEach, describe, expect, it } from '@jest/globals';
import { readState } from '../../../src/brokers/emqx/install/state.js';
import { planUninstall } from '../../../src/brokers/emqx/install/uninstall.js';
import type { FakeEmqx } from './fake-emqx.js';
import { Installing } from './installing.js';
import { RECORDED } from './recording.js';

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
