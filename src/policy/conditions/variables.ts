import type { ExtraFacts, RequestContext } from './context.js';
import { nearest } from '../../nearest.js';
import { CERTIFICATE_ATTRIBUTES, parseDistinguishedName, substitutable } from './distinguished-name.js';

/**
 * What a key of the request context has: nothing, one value, several, or null where the fact may exist and the transport
 * does not tell: then nothing that is compared with it can be made out.
 */
export type Value = string | readonly string[] | undefined | null;

/** A key of the request context: a policy variable and a condition key. */
export interface ContextKey {
  /** As written. */
  readonly name: string;
  /** False where AWS IoT Core has no such key for the actions decided here: it never has a value. */
  readonly known: boolean;
  /** Who tells a fact for it: ExHook too, the plugin and the door alone, or nobody. */
  readonly toldBy: 'all' | 'plugin or door' | 'nobody';
  readonly resolve: (context: RequestContext) => Value;
}

/** Facts longer than this have no value: AWS IoT's limit for certificate attributes; client IDs have 128 there. */
export const MAX_FACT_LENGTH = 1024;

type Resolver = (context: RequestContext) => Value;

const FIXED: ReadonlyMap<string, Resolver> = new Map<string, Resolver>([
  ['iot:clientid', ({ identity }) => identity.clientId],
  ['iot:topic', ({ extra }) => extra.topic],
  ['iot:connectattributes', ({ extra }) => extra.connectAttributes ?? untoldOfConnect(extra)],
  ['iot:domainname', ({ extra }) => extra.domainName ?? (extra.domainNameUntold ? null : untoldOfConnect(extra))],
  ['iot:connection.thing.thingname', ({ thing }) => thing?.name],
  ['iot:connection.thing.thingtypename', ({ thing }) => thing?.type],
  ['iot:connection.thing.isattached', ({ thing }) => (thing === undefined ? 'false' : 'true')],
  [
    'iot:lastwilltopic',
    ({ extra }) => extra.lastWillTopic ?? (extra.lastWillTopicUntold ? null : untoldOfConnect(extra)),
  ],
  // Every request has these two; where the transport does not tell, only their values are unknown.
  ['aws:sourceip', ({ identity }) => identity.sourceIp ?? null],
  ['aws:securetransport', ({ identity }) => identity.secureTransport?.toString() ?? null],
  ['aws:currenttime', (context) => new Date(context.now).toISOString()],
  ['aws:epochtime', (context) => String(Math.floor(context.now / 1000))],
  ['aws:username', ({ identity, principal }) => identity.username ?? principal?.name],
  ['iot:certificate.availablekeys', availableKeys],
  // AWS IoT's certificate ID is the SHA-256 of the certificate.
  [
    'iot:certificate.serialnumber',
    ({ identity }) => identity.certificate && (identity.certificate.serialNumber ?? null),
  ],
  ['iot:certificateid', ({ identity }) => identity.certificate && (identity.certificate.fingerprint ?? null)],
]);

const ATTRIBUTE = /^iot:connection\.thing\.attributes\[(.+)\]$/i;
const CERTIFICATE = /^iot:certificate\.(subject|issuer)\.([a-z]+)(?:\.(list|\d))?$/i;
/** Facts of a certificate that nobody hands over. */
const UNTOLD_CERTIFICATE = /^iot:certificate\.(?:subject|issuer)\.alternativename\.[a-z0-9]+/i;
/** Keys of AWS IoT Core for which ExHook has no fields: the plugin tells them, the door those of CONNECT. */
const UNTOLD_BY_EXHOOK =
  /^iot:(?:connectattributes|domainname|lastwilltopic|certificateid|certificate\.(?:serialnumber|issuer\..+))$/i;
/** Facts of a caller at AWS (IAM, "AWS global condition context keys"): no request here has them, or has none of them. */
const UNTOLD_GLOBAL = /^aws:/i;

/**
 * The key of that name. Names are compared without regard to case (IAM, "Condition element"), names of thing
 * attributes with. A name that is not known is no error: it is a key that never has a value.
 */
export function contextKey(name: string): ContextKey {
  const lower = name.toLowerCase();
  const found = FIXED.get(lower) ?? thingAttribute(name) ?? certificateAttribute(name);
  const ofCertificate = UNTOLD_CERTIFICATE.test(name);
  const global = found === undefined && UNTOLD_GLOBAL.test(name);
  const own = found ?? (ofCertificate ? untoldOfCertificate : global ? untold : nothing);
  return {
    name,
    known: found !== undefined || ofCertificate || global,
    toldBy: ofCertificate || global ? 'nobody' : UNTOLD_BY_EXHOOK.test(name) ? 'plugin or door' : 'all',
    resolve: (context) => {
      const value = context.extra.overrides?.get(lower) ?? own(context);
      return typeof value === 'string' && value.length > MAX_FACT_LENGTH ? undefined : value;
    },
  };
}

/** Keys with names that are always the same, as AWS writes them. */
const NAMES = [
  'iot:ClientId',
  'iot:Topic',
  'iot:ConnectAttributes',
  'iot:DomainName',
  'iot:LastWillTopic',
  'iot:CertificateId',
  'iot:Connection.Thing.ThingName',
  'iot:Connection.Thing.ThingTypeName',
  'iot:Connection.Thing.IsAttached',
  'iot:Certificate.AvailableKeys',
  'aws:SourceIp',
  'aws:SecureTransport',
  'aws:CurrentTime',
  'aws:EpochTime',
  'aws:username',
  ...CERTIFICATE_ATTRIBUTES.map((attribute) => `iot:Certificate.Subject.${attribute}`),
];

/** The key that was probably meant by a name that is none. */
export function keyMeant(name: string): string | undefined {
  return nearest(name, NAMES);
}

function nothing(): undefined {
  return undefined;
}

function untold(): null {
  return null;
}

function untoldOfConnect({ connectUntold }: ExtraFacts): null | undefined {
  return connectUntold === true ? null : undefined;
}

function untoldOfCertificate({ identity }: RequestContext): null | undefined {
  return identity.certificate === undefined ? undefined : null;
}

function thingAttribute(name: string): Resolver | undefined {
  const attribute = ATTRIBUTE.exec(name)?.[1];
  return attribute === undefined ? undefined : ({ thing }) => thing?.attributes.get(attribute);
}

/** `.List` is all values, `.1` the second one, no suffix the first (AWS IoT, "X.509 certificate policy variables"). */
function certificateAttribute(name: string): Resolver | undefined {
  const [, side = '', attribute = '', suffix = '0'] = CERTIFICATE.exec(name) ?? [];
  const known = CERTIFICATE_ATTRIBUTES.find((candidate) => candidate.toLowerCase() === attribute.toLowerCase());
  if (known === undefined) return undefined;
  const of = side.toLowerCase() === 'issuer' ? issuer : subject;
  const untold = of === issuer ? untoldIssuer : nothing;
  if (suffix.toLowerCase() === 'list') {
    return (context) =>
      untold(context) === null
        ? null
        : of(context)
            .get(known)
            ?.filter((value) => value !== undefined);
  }
  return (context) => (untold(context) === null ? null : of(context).get(known)?.[Number(suffix)]);
}

function untoldIssuer({ identity: { certificate } }: RequestContext): null | undefined {
  return certificate !== undefined && certificate.issuer === undefined ? null : undefined;
}

function issuer({ identity: { certificate } }: RequestContext): ReadonlyMap<string, readonly (string | undefined)[]> {
  return certificate?.issuer === undefined ? new Map() : parseDistinguishedName(certificate.issuer);
}

function availableKeys(context: RequestContext): Value {
  const keys = [...subject(context)]
    .filter(([, values]) => values.some((value) => value !== undefined))
    .map(([attribute]) => `iot:Certificate.Subject.${attribute}`);
  return keys.length === 0 ? undefined : keys;
}

/**
 * Subject attributes. The first common name is the one by which the transport knows the client, and principals match it:
 * where the subject has several (multi-valued names too), whoever it is and what the variable holds are one.
 */
function subject({ identity }: RequestContext): ReadonlyMap<string, readonly (string | undefined)[]> {
  const certificate = identity.certificate;
  if (certificate === undefined) return new Map();
  const attributes = parseDistinguishedName(certificate.distinguishedName ?? '');
  const { commonName } = certificate;
  if (commonName === '') return attributes;
  const others = (attributes.get('CommonName') ?? []).filter((value) => value !== commonName);
  const first = substitutable(commonName);
  return new Map([...attributes, ['CommonName', [first, ...(first === undefined ? others.slice(1) : others)]]]);
}
