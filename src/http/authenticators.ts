import type { Config } from '../config/schema.js';
import type { AccessKeys } from '../identity/access-keys.js';
import type { CallerAuthenticator } from '../identity/caller.js';
import { CertificateAuthenticator } from '../identity/certificates.js';
import { remoteKeys } from '../identity/jwks.js';
import { JwtAuthenticator, type JwtOptions } from '../identity/jwt.js';
import { KeyFile } from '../identity/key-file.js';
import { SigV4Authenticator } from '../identity/sigv4/authenticator.js';
import type { ProcessEvents } from '../observing/events.js';

/** The ways in which callers may prove who they are. Each is absent where the configuration does not have it. */
export interface Authenticators {
  readonly sigv4?: CallerAuthenticator;
  readonly jwt?: CallerAuthenticator;
  /** Of connections with TLS. */
  readonly certificate: CallerAuthenticator;
  close(): void;
}

export function openAuthenticators(
  { aws, http, jwt }: Config,
  accessKeys: AccessKeys,
  { fault }: Pick<ProcessEvents, 'fault'>,
): Authenticators {
  const closes: (() => void)[] = [];
  const tokens = (): JwtAuthenticator | undefined => {
    if (jwt === undefined) return undefined;
    const { jwksUrl, jwksFile = '', ...options } = jwt;
    const keys = jwksUrl === undefined ? keysOfFile(jwksFile, fault, closes) : keysOfUrl(jwksUrl, fault);
    return new JwtAuthenticator({ ...options, keys, now: Date.now });
  };
  const byToken = tokens();
  return {
    ...(http.sigv4 && { sigv4: new SigV4Authenticator({ accessKeys, region: aws.region, now: Date.now }) }),
    ...(byToken && { jwt: byToken }),
    certificate: new CertificateAuthenticator(),
    close: () => {
      for (const close of closes) close();
    },
  };
}

/** Side by side. What a request shows decides which is asked; there is none that asks for nothing. */
export function inOrder({ sigv4, jwt, certificate }: Authenticators, tls: boolean): CallerAuthenticator[] {
  // Last: a certificate accompanies every request on its connection, other credentials belong to the request.
  return [...(sigv4 ? [sigv4] : []), ...(jwt ? [jwt] : []), ...(tls ? [certificate] : [])];
}

type Keys = JwtOptions['keys'];

function keysOfFile(file: string, fault: ProcessEvents['fault'], closes: (() => void)[]): Keys {
  const keys = new KeyFile(file, (error) => {
    fault('The keys of the issuer of tokens could not be read; the ones before, if any, stay in force.', error);
  });
  keys.watch();
  closes.push(() => {
    keys.close();
  });
  return keys.get;
}

function keysOfUrl(url: string, fault: ProcessEvents['fault']): Keys {
  return remoteKeys(
    new URL(url),
    () => performance.now(),
    (error) => {
      fault('The keys of the issuer of tokens cannot be fetched; those fetched last serve for an hour.', error);
    },
  );
}
