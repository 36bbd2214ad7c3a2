import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CredentialStore } from '../../src/identity/credential-store.js';
import { Credentials, CredentialsError } from '../../src/identity/credentials.js';

describe('a credentials file', () => {
  const credentials = Credentials.parse({
    accessKeys: { AKIAIOSFODNN7EXAMPLE: ['new', 'old'] },
    mqttUsers: { lock: 'secret' },
  });

  test('holds several secrets of a key, all valid together', () => {
    expect(credentials.secretsOf('AKIAIOSFODNN7EXAMPLE')).toEqual(['new', 'old']);
    expect(credentials.secretsOf('AKIAUNKNOWNUNKNOWN00')).toEqual([]);
  });

  test('knows no temporary credentials: a session token makes a key unknown', () => {
    expect(credentials.secretsOf('AKIAIOSFODNN7EXAMPLE', 'token')).toEqual([]);
  });

  test.each([
    ['lock', 'secret', true],
    ['lock', 'Secret', false],
    ['lock', '', false],
    ['other', 'secret', false],
    ['__proto__', 'secret', false],
  ])('password of %s: %s is %s', (username, password, expected) => {
    expect(credentials.isPassword(username, Buffer.from(password))).toBe(expected);
  });

  test.each([
    ['an empty secret', { mqttUsers: { lock: '' } }, /mqttUsers\.lock/],
    ['no secret at all', { accessKeys: { AKIAIOSFODNN7EXAMPLE: [] } }, /accessKeys\.AKIAIOSFODNN7EXAMPLE/],
    ['an unknown section', { users: {} }, /users/],
    ['no object', 7, /credentials/],
  ])('%s is refused by name', (_, value, message) => {
    expect(() => Credentials.parse(value)).toThrow(CredentialsError);
    expect(() => Credentials.parse(value)).toThrow(message);
  });
});

describe('a mistake in the file is told with its place and its rule, and without a secret', () => {
  test.each([
    [
      'mqttUsers:\n  lock: ""\n',
      ':2:3: mqttUsers.lock: must be a text, or a list of texts that are all valid; none of them empty',
    ],
    ['mqttUsers:\n  lock: [hunter2, 7]\n', ':2:3: mqttUsers.lock: must be a text, or a list'],
    ['mqttUsers: hunter2\n', ':1:1: mqttUsers: must be a group of names with their secrets'],
    ['accessKeys:\n  short: hunter2\n', ':2:3: accessKeys.short: an access key ID has 16 to 128 letters and digits'],
    ['mqttUser: { lock: hunter2 }\n', ':1:1: mqttUser: there is no such entry; did you mean mqttUsers?'],
    ['hunter2\n', ':1:1: credentials: must be a group of accessKeys and mqttUsers'],
  ])('%j', (text, message) => {
    const folder = mkdtempSync(join(tmpdir(), 'tightbeam-credentials-'));
    const file = join(folder, 'credentials.yaml');
    writeFileSync(file, text);
    let told = '';
    try {
      Credentials.fromFile(file);
    } catch (error) {
      told = (error as Error).message;
    }
    rmSync(folder, { recursive: true });
    expect(told).toContain(`${file}${message}`);
    expect(told).not.toContain('hunter2');
  });
});

describe('the credentials in force', () => {
  let folder: string;
  let file: string;
  let store: CredentialStore | undefined;
  const write = (text: string) => {
    // As secret mounts do it: written beside, then moved over.
    writeFileSync(`${file}.new`, text);
    renameSync(`${file}.new`, file);
  };
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-credentials-'));
    file = join(folder, 'credentials.yaml');
    write('mqttUsers: { lock: one }');
  });
  afterEach(() => {
    store?.close();
    rmSync(folder, { recursive: true });
  });

  test('are replaced on request', () => {
    store = CredentialStore.open(file, () => undefined);
    write('mqttUsers: { lock: two }');
    store.reload();
    expect(store.current().isPassword('lock', Buffer.from('two'))).toBe(true);
  });

  test.each(['*hunter2', '!hunter2 x', '"hunter2', '[hunter2'])('that are no YAML are not shown: %s', (secret) => {
    write(`mqttUsers:\n  lock: ${secret}\n`);
    let message = '';
    try {
      CredentialStore.open(file, () => undefined);
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain('credentials.yaml: no valid YAML');
    expect(message).not.toContain('hunter2');
  });

  test('stay when the file cannot be used, and the failure shows no secret', () => {
    const failures: Error[] = [];
    store = CredentialStore.open(file, (error) => failures.push(error));
    write('mqttUsers: { lock: [hunter2 }');
    store.reload();
    expect(store.current().isPassword('lock', Buffer.from('one'))).toBe(true);
    expect(failures.map(({ message }) => message).join()).toContain(file);
    expect(failures.map(({ message }) => message).join()).not.toContain('hunter2');
  });

  test('lose what was removed when a link on the way to the file is swapped, as Kubernetes and git-sync do', async () => {
    const version = (name: string, text: string) => {
      mkdirSync(join(folder, name));
      writeFileSync(join(folder, name, 'mounted.yaml'), text);
      symlinkSync(name, join(folder, 'data.new'));
      renameSync(join(folder, 'data.new'), join(folder, 'data'));
    };
    version('one', 'mqttUsers: { lock: one, thief: two }');
    const told = new Promise<Error>((resolve) => {
      store = CredentialStore.open(join(folder, 'data', 'mounted.yaml'), resolve);
    });
    store?.watch(5);
    version('two', 'mqttUsers: { lock: one }');
    while (store?.current().hasUser('thief') === true) await new Promise(setImmediate);
    version('three', 'no: credentials');
    await told;
    expect(store?.current().hasUser('lock')).toBe(true);
  });

  test('are replaced when the file changes', async () => {
    const failed = new Promise<Error>((resolve) => {
      store = CredentialStore.open(file, resolve);
    });
    store?.watch(5);
    write('not: credentials');
    expect((await failed).message).toContain('not');
    expect(store?.current().hasUser('lock')).toBe(true);
  });
});
