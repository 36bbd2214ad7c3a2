import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export const opensslAvailable = spawnSync('openssl', ['version']).status === 0;
if (!opensslAvailable)
  process.stderr.write('SKIPPED: there is no openssl (Debian package openssl) to make certificates with\n');

/** A certificate authority of the tests, in a folder of its own, made with the openssl command. */
export class Authority {
  readonly certFile: string;
  readonly crlFile: string;
  readonly #folder: string;

  constructor(folder: string, name: string) {
    this.#folder = join(folder, name);
    mkdirSync(this.#folder);
    this.certFile = join(this.#folder, 'ca.pem');
    this.crlFile = join(this.#folder, 'crl.pem');
    writeFileSync(join(this.#folder, 'index.txt'), '');
    writeFileSync(join(this.#folder, 'crlnumber'), '01\n');
    writeFileSync(
      join(this.#folder, 'ca.cnf'),
      `[ca]\ndefault_ca = this\n[this]\ndatabase = ${this.#folder}/index.txt\ncrlnumber = ${this.#folder}/crlnumber\n` +
        'default_md = sha256\ndefault_crl_days = 1\n',
    );
    openssl(
      'req',
      '-x509',
      '-new',
      '-nodes',
      ...EC_KEY,
      '-keyout',
      this.#key,
      '-out',
      this.certFile,
      '-subj',
      `/CN=${name}`,
    );
    this.#writeCrl();
  }

  /** Issues a certificate for a host, and gives the paths of it and of its key. */
  issue(subject: string, days = 1, host = 'IP:127.0.0.1'): { readonly cert: string; readonly key: string } {
    const base = join(this.#folder, subject.replace(/[^A-Za-z0-9]+/g, '_'));
    const [key, request, cert, extensions] = [`${base}.key`, `${base}.csr`, `${base}.pem`, `${base}.ext`];
    writeFileSync(extensions, `subjectAltName = ${host}\n`);
    openssl('req', '-new', '-nodes', ...EC_KEY, '-keyout', key, '-out', request, '-subj', subject);
    const by = [
      '-CA',
      this.certFile,
      '-CAkey',
      this.#key,
      '-CAcreateserial',
      '-days',
      String(days),
      '-extfile',
      extensions,
    ];
    openssl('x509', '-req', '-in', request, '-out', cert, ...by);
    return { cert, key };
  }

  revoke(cert: string): void {
    openssl('ca', '-config', this.#config, '-keyfile', this.#key, '-cert', this.certFile, '-revoke', cert);
    this.#writeCrl();
  }

  get crl(): string {
    return readFileSync(this.crlFile, 'utf8');
  }

  get #key(): string {
    return join(this.#folder, 'ca.key');
  }

  get #config(): string {
    return join(this.#folder, 'ca.cnf');
  }

  #writeCrl(): void {
    openssl(
      'ca',
      '-config',
      this.#config,
      '-keyfile',
      this.#key,
      '-cert',
      this.certFile,
      '-gencrl',
      '-out',
      this.crlFile,
    );
  }
}

const EC_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

function openssl(...parameters: string[]): void {
  const { status, stderr } = spawnSync('openssl', parameters, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`openssl ${parameters.join(' ')}: ${stderr}`);
}
