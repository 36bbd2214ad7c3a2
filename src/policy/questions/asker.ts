import type { Identity } from '../../identity/identity.js';
import { parseDistinguishedName } from '../conditions/distinguished-name.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';

/** Who is asked about, as people say it: a principal's name, facts of an identity, or values of context keys. */
export interface Asker {
  /** Name in principals.json; any other is a username, and the client ID too. */
  readonly principal?: string | undefined;
  readonly username?: string | undefined;
  readonly clientId?: string | undefined;
  readonly commonName?: string | undefined;
  readonly distinguishedName?: string | undefined;
  readonly fingerprint?: string | undefined;
  readonly jwtSubject?: string | undefined;
  readonly accessKeyId?: string | undefined;
  readonly sourceIp?: string | undefined;
  readonly context?: Readonly<Record<string, string | readonly string[]>> | undefined;
}

/** The identity with those facts, and who stands for it; nothing where nobody is meant. */
export function identify(
  set: PolicySet,
  asker: Asker,
): { readonly identity: Identity; readonly principal: CompiledPrincipal | undefined } | undefined {
  const { principal: name, context = {} } = asker;
  const fact = (key: string): string | undefined =>
    [Object.entries(context).find(([given]) => given.toLowerCase() === key.toLowerCase())?.[1]].flat()[0];
  const declared = name === undefined ? undefined : set.principal(name);
  const username = asker.username ?? fact('aws:username') ?? (declared === undefined ? name : undefined);
  const clientId = asker.clientId ?? fact('iot:ClientId') ?? username;
  const commonName = asker.commonName ?? fact('iot:Certificate.Subject.CommonName');
  const { distinguishedName, fingerprint, jwtSubject, accessKeyId, sourceIp } = asker;
  const certificate = (commonName ?? distinguishedName ?? fingerprint) !== undefined && {
    certificate: {
      commonName: commonName ?? commonNameOf(distinguishedName),
      ...(distinguishedName !== undefined && { distinguishedName }),
      ...(fingerprint !== undefined && { fingerprint }),
    },
    secureTransport: true,
  };
  const identity: Identity = {
    protocol: (jwtSubject ?? accessKeyId) === undefined ? 'MQTT' : 'HTTP',
    ...(username !== undefined && { username }),
    ...(clientId !== undefined && { clientId }),
    ...certificate,
    ...(jwtSubject !== undefined && { jwtSubject }),
    ...(accessKeyId !== undefined && { accessKeyId }),
    ...(sourceIp !== undefined && { sourceIp }),
  };
  if (name === undefined && Object.keys(identity).length === 1) return undefined;
  return { identity, principal: declared ?? set.resolve(identity) };
}

function commonNameOf(distinguishedName = ''): string {
  return parseDistinguishedName(distinguishedName).get('CommonName')?.[0] ?? '';
}
