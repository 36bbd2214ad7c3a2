import { beforeEach, describe, expect, it } from '@jest/globals';
import { carryOut } from '../../../src/brokers/emqx/install/install.js';
import { packageVersion } from '../../../src/brokers/emqx/install/plan-plugin.js';
import type { FakeEmqx } from './fake-emqx.js';
import { Installing, OPTIONS, PACKAGE } from './installing.js';
import { RECORDED } from './recording.js';

const { plugin } = OPTIONS;

describe.each(RECORDED)('installing the plugin into EMQX %s', (version) => {
  const subject = new Installing(version);
  const { plan, install, rulesInForce } = subject;
  let emqx: FakeEmqx;
  beforeEach(() => {
    emqx = subject.emqx;
  });

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
