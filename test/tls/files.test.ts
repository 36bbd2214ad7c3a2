import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadTls, TlsFilesError, type TlsFiles } from '../../src/tls/files.js';
import { Authority, opensslAvailable } from '../http/pki.js';

(opensslAvailable ? describe : describe.skip)('TLS files', () => {
  let folder: string;
  let authority: Authority;
  let own: { readonly cert: string; readonly key: string };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'tightbeam-tls-'));
    authority = new Authority(folder, 'ca');
    own = authority.issue('/CN=own');
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  function file(name: string, content: string): string {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  }

  function problemsOf(files: TlsFiles): readonly string[] {
    try {
      loadTls(files, 'exhook.tls');
    } catch (error) {
      if (error instanceof TlsFilesError) return error.problems;
      throw error;
    }
    throw new Error('The files were taken.');
  }

  test('are read: a certificate with its key, alone or with authorities', () => {
    const [cert, key] = [readFileSync(own.cert, 'utf8'), readFileSync(own.key, 'utf8')];
    expect(loadTls(own, 'exhook.tls')).toEqual({ cert, key });
    const clientCa = readFileSync(authority.certFile, 'utf8');
    expect(loadTls({ ...own, clientCa: authority.certFile }, 'exhook.tls')).toEqual({ cert, key, clientCa });
  });

  test('that are wrong are all told at once, each with setting, file and rule', () => {
    const problems = problemsOf({
      cert: own.key,
      key: file('none.key', 'hunter2'),
      clientCa: join(folder, 'missing.pem'),
    });
    expect(problems).toEqual([
      `exhook.tls.cert (${own.key}): must hold a certificate in PEM`,
      `exhook.tls.key (${join(folder, 'none.key')}): must hold a private key in PEM, without a passphrase`,
      `exhook.tls.clientCa (${join(folder, 'missing.pem')}): ENOENT: no such file or directory, open '${join(folder, 'missing.pem')}'`,
    ]);
  });

  test('of which one is a key that nobody can open alone are refused', () => {
    const locked = join(folder, 'locked.key');
    spawnSync('openssl', ['ec', '-in', own.key, '-aes256', '-passout', 'pass:hunter2', '-out', locked]);
    expect(readFileSync(locked, 'utf8')).toContain('ENCRYPTED');
    expect(problemsOf({ cert: own.cert, key: locked })).toEqual([expect.stringContaining('without a passphrase')]);
  });

  test('of which the key belongs to another certificate are refused', () => {
    const other = authority.issue('/CN=other');
    expect(problemsOf({ cert: own.cert, key: other.key })).toEqual([
      `exhook.tls.key (${other.key}): is not the private key of the certificate in exhook.tls.cert (${own.cert})`,
    ]);
  });

  test('with a certificate that is broken are refused, wherever it stands', () => {
    const broken = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const clientCa = file('bundle.pem', readFileSync(authority.certFile, 'utf8') + broken);
    expect(problemsOf({ ...own, clientCa })).toEqual([
      `exhook.tls.clientCa (${clientCa}): certificate 2 cannot be read`,
    ]);
  });

  test('with a revocation list that is none are refused', () => {
    expect(problemsOf({ ...own, clientCrl: file('crl.pem', 'no list') })).toEqual([
      expect.stringMatching(/^exhook\.tls\.cert \(.*crl\.pem\): do not make a TLS server: /),
    ]);
  });
});
