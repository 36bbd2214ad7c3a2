import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { emqxCommand } from '../../src/cli/emqx.js';
import { FakeBroker } from '../brokers/emqx/fake-broker.js';
import { FakeEmqx } from '../brokers/emqx/fake-emqx.js';
import { Authority, opensslAvailable } from '../http/pki.js';

describe('tightbeam emqx', () => {
  let emqx: FakeEmqx;
  let broker: FakeBroker;
  let folder: string;
  let output: string;
  let errors: string;
  const environment = { ...process.env };

  beforeEach(async () => {
    [emqx, broker] = await Promise.all([FakeEmqx.start(), FakeBroker.start()]);
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-'));
    writeFileSync(join(folder, 'secret'), 'secret\n');
    writeFileSync(join(folder, 'tightbeam-0.1.0.tar.gz'), 'package');
    process.env['TIGHTBEAM_EMQX_API_KEY'] = 'key';
    process.env['TIGHTBEAM_EMQX_API_SECRET_FILE'] = join(folder, 'secret');
    process.env['TIGHTBEAM_BROKER_URLS'] = broker.url;
    output = errors = '';
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => ((output += String(text)), true));
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => ((errors += String(text)), true));
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    process.env = { ...environment };
    process.exitCode = undefined;
    rmSync(folder, { recursive: true });
    await Promise.all([emqx.stop(), broker.stop()]);
  });

  const run = async (...args: string[]) => {
    const program = new Command().exitOverride().configureOutput({ writeErr: (text) => (errors += text) });
    emqxCommand(program.command('emqx'), '0.1.0');
    for (const command of program.commands.flatMap((group) => group.commands)) command.exitOverride();
    await program.parseAsync(['emqx', args[0] ?? '', '--api', emqx.url, ...args.slice(1)], { from: 'user' });
  };
  /** Until the output has come so far. */
  const said = async (text: RegExp) => {
    while (!text.test(output)) await new Promise((resolve) => setImmediate(resolve));
  };
  const plugin = () => ['--plugin', join(folder, 'tightbeam-0.1.0.tar.gz')];

  it('installs, finds all well, and uninstalls', async () => {
    const before = emqx.configuration;
    emqx.allowed = ['tightbeam-0.1.0'];
    await run('install', '--exhook-url', 'grpc://service:9000', ...plugin());
    expect(output).toContain('register the ExHook server tightbeam\n');
    expect(output).toContain('    url: not set -> "http://service:9000"\n');
    expect(output).not.toContain('Left to you');

    output = '';
    await run('doctor', '--json');
    expect(JSON.parse(output)).toEqual(
      expect.arrayContaining([expect.objectContaining({ check: 'probe', status: 'ok' })]),
    );
    expect(process.exitCode).toBeUndefined();

    await run('uninstall');
    expect(emqx.configuration).toEqual(before);
    expect(errors).toBe('');
  });

  it('run again, keeps address and user unless others are named', async () => {
    emqx.allowed = ['tightbeam-0.1.0'];
    process.env['TIGHTBEAM_BROKER_USERNAME'] = 'relay';
    await run('install', '--exhook-url', 'grpc://service:9000', ...plugin());
    delete process.env['TIGHTBEAM_BROKER_USERNAME'];
    const before = emqx.configuration;
    output = '';
    await run('install');
    expect(output).toBe('Tightbeam is installed. There is nothing to change.\n');
    expect(emqx.configuration).toEqual(before);

    writeFileSync(join(folder, 'tightbeam.yaml'), 'broker: { username: other }\n');
    await run('install', '--dry-run', '--config', join(folder, 'tightbeam.yaml'));
    expect(output).toContain('+ the user other may use $dm/#');
  });

  it('prints what is left to do by hand, and exits with 1 until nothing is', async () => {
    await run('install');
    expect(output).toMatch(/Left to you:\n {2}- The plugin is not installed/);
    expect(process.exitCode).toBe(1);

    process.exitCode = undefined;
    emqx.allowed = ['tightbeam-0.1.0'];
    await run('install', ...plugin());
    expect(process.exitCode).toBeUndefined();
  });

  it('waits for the leave to install the plugin, and goes on by itself', async () => {
    const installed = run('install', ...plugin());
    await said(/^ {8}emqx ctl plugins allow tightbeam-0\.1\.0\n {4}waiting for it, 10 min/m);
    emqx.allowed = ['tightbeam-0.1.0'];
    await installed;
    expect(emqx.plugins).toHaveLength(1);
    expect(process.exitCode).toBeUndefined();
  });

  it('ends with Ctrl-C, and says what is done and what is not', async () => {
    const installed = run('install', ...plugin());
    await said(/waiting for it/);
    process.emit('SIGINT');
    await installed;
    expect(errors).toMatch(/^error: Stopped while waiting for the leave.* Run it again to go on\.\n$/);
    expect(process.exitCode).toBe(1);
    expect(emqx.settings).toMatchObject({ no_match: 'allow' });
  });

  it('counts the work of others, which it leaves as it is, for no failure', async () => {
    emqx.allowed = ['tightbeam-0.1.0'];
    emqx.sources.unshift({ type: 'http', enable: true, url: 'http://authz' });
    await run('install', ...plugin());
    expect(output).toMatch(/Left as it is:\n {2}- Authorization sources of yours/);
    expect(process.exitCode).toBeUndefined();
  });

  it('changes nothing with --dry-run', async () => {
    await run('install', '--dry-run', ...plugin());
    expect(output).toContain('would register the ExHook server tightbeam\n');
    expect(emqx.changes).toEqual([]);
  });

  it('says that there is nothing to change', async () => {
    await run('uninstall');
    expect(output).toBe('Tightbeam is not installed. There is nothing to change.\n');
  });

  it('tells a person what is wrong and how to mend it, and exits with 1', async () => {
    await run('doctor');
    expect(output).toMatch(/^fail {2}exhook {10}EMQX does not ask Tightbeam.*\n {22}Run `tightbeam emqx install`\.$/m);
    expect(process.exitCode).toBe(1);
  });

  it('takes the secret from the environment, and refuses to start without one', async () => {
    delete process.env['TIGHTBEAM_EMQX_API_SECRET_FILE'];
    await run('uninstall');
    expect(errors).toMatch(/^error: an API key is needed/);
    expect(process.exitCode).toBe(1);
    process.env['TIGHTBEAM_EMQX_API_SECRET'] = 'secret';
    await run('uninstall');
    expect(output).toContain('nothing to change');
  });

  it('lets the secret of a flag win over the environment', async () => {
    process.env['TIGHTBEAM_EMQX_API_SECRET'] = 'wrong';
    await run('uninstall', '--secret-file', join(folder, 'secret'));
    expect(output).toContain('nothing to change');
    await expect(run('uninstall', '--secret', 'secret', '--secret-file', 'x')).rejects.toThrow('cannot be used with');
  });

  it('says in one line that a file of the secret cannot be read', async () => {
    await run('uninstall', '--secret-file', folder);
    await run('uninstall', '--secret-file', join(folder, 'none'));
    expect(errors).toMatch(/^error: EISDIR.*\nerror: ENOENT.*\n$/);
    expect(process.exitCode).toBe(1);
  });

  it('says in one line, without the secret, what EMQX refused', async () => {
    await run('uninstall', '--secret', 'hunter2');
    expect(errors).toMatch(/^error: GET http:.*: 401 BAD_API_KEY_OR_SECRET: .*\n$/);
    expect(errors).not.toContain('hunter2');
  });

  it('refuses an ExHook URL that is none', async () => {
    await expect(run('install', '--exhook-url', 'mqtt://service')).rejects.toThrow(
      'is not of the form grpc://HOST:PORT',
    );
  });

  (opensslAvailable ? it : it.skip)(
    'hands EMQX the certificates of the files, and has nothing to do again',
    async () => {
      emqx.allowed = ['tightbeam-0.1.0'];
      const authority = new Authority(folder, 'ca');
      const { cert, key } = authority.issue('/CN=emqx');
      const tls = ['--exhook-ca', authority.certFile, '--exhook-cert', cert, '--exhook-key', key];
      await run('install', '--exhook-url', 'grpcs://service:9000', ...tls, '--exhook-server-name', 'tb', ...plugin());
      expect(errors).toBe('');
      expect(output).toContain('    url: not set -> "https://service:9000"\n');
      expect(output).toContain('    ssl.server_name_indication: not set -> "tb"\n');
      expect(output).not.toContain('-----');

      output = '';
      await run('install', ...tls);
      expect(output).toBe('Tightbeam is installed. There is nothing to change.\n');
    },
  );

  (opensslAvailable ? it : it.skip)('says which file of a certificate or key is wrong, by its flag', async () => {
    const { cert } = new Authority(folder, 'ca').issue('/CN=emqx');
    const url = ['--exhook-url', 'grpcs://service:9000'];
    await run('install', ...url, '--exhook-ca', join(folder, 'secret'));
    await run('install', ...url, '--exhook-cert', cert);
    await run('install', ...url, '--exhook-cert', cert, '--exhook-key', join(folder, 'none'));
    await run('install', ...url);
    expect(errors.split('\n')).toEqual([
      `error: --exhook-ca (${join(folder, 'secret')}): must hold a certificate in PEM`,
      'error: --exhook-cert and --exhook-key belong together',
      expect.stringMatching(/^error: --exhook-key \(.*none\): ENOENT/),
      expect.stringMatching(/^error: https:\/\/service:9000 needs --exhook-ca/),
      '',
    ]);
    expect(emqx.changes).toEqual([]);
  });

  it('refuses a package that is none', async () => {
    await run('install', '--plugin', join(folder, 'secret'));
    expect(errors).toBe('error: secret is not named tightbeam-VERSION.tar.gz\n');
    expect(emqx.changes).toEqual([]);
  });
});
