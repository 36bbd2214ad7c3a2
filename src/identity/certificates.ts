import type { X509Certificate } from 'node:crypto';
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
    // Node has one relative name a line, escaped as RFC 4514 wants it, the least specific first.
    distinguishedName: certificate.subject.split('\n').reverse().join(','),
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
  };
}
