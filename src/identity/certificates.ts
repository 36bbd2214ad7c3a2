import { X509Certificate } from 'node:crypto';
import type { CallerAuthenticator, CallerRequest, CallerVerdict } from './caller.js';
import type { Identity } from './identity.js';

/**
 * Client certificates, as AWS's own HTTPS examples use them (`curl --cert --key`). TLS has verified the certificate
 * against the CA bundle and the revocation list before the request came; whom it stands for is the policy engine's to say.
 */
export class CertificateAuthenticator implements CallerAuthenticator {
  readonly scheme = 'mutual TLS';

  authenticate({ peer, certificate, certificateFault }: CallerRequest): Promise<CallerVerdict> | undefined {
    if (certificateFault !== undefined) {
      const details = `The client certificate is not valid here: ${certificateFault}.`;
      return Promise.resolve({ ok: false, reason: 'INVALID_CREDENTIALS', details });
    }
    return certificate && Promise.resolve({ ok: true, identity: { ...peer, certificate } });
  }
}

/** What a verified certificate says of its holder. */
export function describeCertificate(certificate: X509Certificate): NonNullable<Identity['certificate']> {
  const { CN: commonNames } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  return {
    commonName: [commonNames ?? ''].flat().at(-1) ?? '',
    distinguishedName: distinguishedName(certificate.subject),
    ...describeIssue(certificate),
  };
}

/** What the issuer has put into it, and what it is known by. */
type Issue = Pick<NonNullable<Identity['certificate']>, 'fingerprint' | 'issuer' | 'serialNumber'>;

function describeIssue(certificate: X509Certificate): Issue {
  return {
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    issuer: distinguishedName(certificate.issuer),
    serialNumber: certificate.serialNumber,
  };
}

/** Node has one relative name a line, escaped as RFC 4514 wants it, the least specific first. */
function distinguishedName(lines: string): string {
  return lines.split('\n').reverse().join(',');
}

/** Certificates that are remembered: devices ask more than once, and to parse one takes some 50 microseconds. */
const REMEMBERED = 1_000;

/** Reads certificates as brokers hand them over, DER in base64; what is none says nothing. */
export class CertificateReader {
  readonly #read = new Map<string, Issue>();

  issueOf(base64: string): Issue {
    const known = this.#read.get(base64);
    if (known !== undefined) return known;
    const issue = issueIn(base64);
    if (this.#read.size >= REMEMBERED) this.#read.clear();
    this.#read.set(base64, issue);
    return issue;
  }
}

function issueIn(base64: string): Issue {
  try {
    return describeIssue(new X509Certificate(Buffer.from(base64, 'base64')));
  } catch {
    return {};
  }
}
