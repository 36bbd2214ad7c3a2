import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { FileWatch } from '../files/watch.js';

/** What a TLS server shows, and whom it takes. Everything in PEM. */
export interface TlsMaterial {
  /** The server's own certificate, with the intermediate ones, and its key. */
  readonly cert: string;
  readonly key: string;
  /** Certificates of the authorities whose client certificates are accepted. */
  readonly clientCa?: string | undefined;
  /** Revocation lists, one of each authority. One that is missing or has expired leaves nobody in. */
  readonly clientCrl?: string | undefined;
}

/** Paths of the files, under the names of what they hold. */
export type TlsFiles<Material extends TlsMaterial = TlsMaterial> = Material;

/** Everything that is wrong with TLS files, each with the setting or flag that names the file, the file, and the rule. */
export class TlsFilesError extends Error {
  override readonly name = 'TlsFilesError';
  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
  }
}

/** A file, and the setting or flag by which the reader of an error knows it. */
export interface NamedFile {
  readonly name: string;
  readonly file: string;
}

/**
 * Reads the files and proves that they fit together.
 *
 * @param section the section of the configuration that names them.
 * @throws TlsFilesError
 */
export function loadTls<Material extends TlsMaterial>(files: TlsFiles<Material>, section: string): Material {
  const named = (name: keyof TlsMaterial): NamedFile => ({ name: `${section}.${name}`, file: files[name] ?? '' });
  const material = collect<Partial<TlsMaterial>>([
    () => readIdentity({ cert: named('cert'), key: named('key') }),
    () => (files.clientCa === undefined ? {} : { clientCa: readCertificates(named('clientCa')) }),
    () => (files.clientCrl === undefined ? {} : { clientCrl: readText(named('clientCrl')) }),
  ]);
  const all = Object.assign({}, ...material) as Material;
  try {
    createSecureContext(contextOptions(all));
  } catch (error) {
    const where = Object.entries(files).map(([name, file]) => `${section}.${name} (${String(file)})`);
    throw new TlsFilesError([`${where.join(', ')}: do not make a TLS server: ${(error as Error).message}`]);
  }
  return all;
}

/**
 * A certificate, with the intermediate ones, and its private key.
 *
 * @throws TlsFilesError
 */
export function readIdentity({ cert, key }: { cert: NamedFile; key: NamedFile }): { cert: string; key: string } {
  const [certificate = '', secret = ''] = collect([() => readCertificates(cert), () => readKey(key)]);
  if (!new X509Certificate(certificate).checkPrivateKey(createPrivateKey(secret))) {
    throw new TlsFilesError([`${nameOf(key)}: is not the private key of the certificate in ${nameOf(cert)}`]);
  }
  return { cert: certificate, key: secret };
}

/**
 * One certificate or more.
 *
 * @throws TlsFilesError
 */
export function readCertificates(named: NamedFile): string {
  const text = readText(named);
  const certificates = certificatesIn(text);
  if (certificates.length === 0) throw new TlsFilesError([`${nameOf(named)}: must hold a certificate in PEM`]);
  for (const [at, certificate] of certificates.entries()) {
    try {
      new X509Certificate(certificate);
    } catch {
      throw new TlsFilesError([`${nameOf(named)}: certificate ${at + 1} cannot be read`]);
    }
  }
  return text;
}

/** The certificates in a text, each in PEM, without what stands between them. */
export function certificatesIn(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
}

function readKey(named: NamedFile): string {
  const text = readText(named);
  try {
    createPrivateKey(text);
  } catch {
    // The library's own words could show of the file what must stay secret.
    throw new TlsFilesError([`${nameOf(named)}: must hold a private key in PEM, without a passphrase`]);
  }
  return text;
}

function readText(named: NamedFile): string {
  try {
    return readFileSync(named.file, 'utf8');
  } catch (error) {
    throw new TlsFilesError([`${nameOf(named)}: ${(error as Error).message}`]);
  }
}

/** The results of all, or the problems of all. */
function collect<T>(readers: readonly (() => T)[]): T[] {
  const problems: string[] = [];
  const results: T[] = [];
  for (const read of readers) {
    try {
      results.push(read());
    } catch (error) {
      if (!(error instanceof TlsFilesError)) throw error;
      problems.push(...error.problems);
    }
  }
  if (problems.length > 0) throw new TlsFilesError(problems);
  return results;
}

/**
 * Tells of new material when a file has changed, and of what is wrong with it, in which case the old one is to stay. Ends
 * with `close`, and keeps no process alive.
 */
export function watchTls<Material extends TlsMaterial>(
  files: TlsFiles<Material>,
  section: string,
  listeners: { readonly changed: (material: Material) => void; readonly failed: (error: unknown) => void },
  intervalMs?: number,
): { close(): void } {
  const watch = new FileWatch(paths(files), () => {
    let material: Material;
    try {
      material = loadTls(files, section);
    } catch (error) {
      listeners.failed(error);
      return;
    }
    listeners.changed(material);
  });
  watch.start(intervalMs);
  return watch;
}

/** Options of Node's TLS for the material. */
export function contextOptions({ cert, key, clientCa, clientCrl }: TlsMaterial): SecureContextOptions {
  return {
    cert,
    key,
    ...(clientCa !== undefined && { ca: clientCa }),
    ...(clientCrl !== undefined && { crl: clientCrl }),
    minVersion: 'TLSv1.2',
  };
}

function paths(files: TlsFiles): string[] {
  return [files.cert, files.key, files.clientCa, files.clientCrl].filter((file) => file !== undefined);
}

function nameOf({ name, file }: NamedFile): string {
  return `${name} (${file})`;
}
