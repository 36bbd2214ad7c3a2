import type { RequestContext } from './context.js';
import { CERTIFICATE_ATTRIBUTES, parseDistinguishedName } from './distinguished-name.js';

/** What a key of the request context has: nothing, one value, or several. */
export type Value = string | readonly string[] | undefined;

/** A key of the request context: a policy variable and a condition key. */
export interface ContextKey {
  /** As written. */
  readonly name: string;
  /** False where AWS IoT Core has no such key for the actions decided here: it never has a value. */
  readonly known: boolean;
  readonly resolve: (context: RequestContext) => Value;
}

/** Facts longer than this have no value: AWS IoT's limit for certificate attributes; client IDs have 128 there. */
export const MAX_FACT_LENGTH = 1024;

type Resolver = (context: RequestContext) => Value;

const FIXED: ReadonlyMap<string, Resolver> = new Map<string, Resolver>([
  ['iot:clientid', ({ identity }) => identity.clientId],
  ['iot:topic', ({ extra }) => extra.topic],
  ['iot:connectattributes', ({ extra }) => extra.connectAttributes],
  ['iot:domainname', ({ extra }) => extra.domainName],
  ['iot:connection.thing.thingname', ({ thing }) => thing?.name],
  ['iot:connection.thing.thingtypename', ({ thing }) => thing?.type],
  ['iot:connection.thing.isattached', ({ thing }) => (thing === undefined ? 'false' : 'true')],
  ['aws:sourceip', ({ identity }) => identity.sourceIp],
  ['aws:securetransport', ({ identity }) => identity.secureTransport?.toString()],
  ['aws:currenttime', (context) => new Date(context.now).toISOString()],
  ['aws:epochtime', (context) => String(Math.floor(context.now / 1000))],
  ['aws:username', ({ identity, principal }) => identity.username ?? principal?.name],
  ['iot:certificate.availablekeys', availableKeys],
]);

const ATTRIBUTE = /^iot:connection\.thing\.attributes\[(.+)\]$/i;
const CERTIFICATE = /^iot:certificate\.(subject|issuer)\.([a-z]+)(?:\.(list|\d))?$/i;
/** Keys of AWS IoT Core for which a broker hands over no facts. */
const WITHOUT_FACTS =
  /^iot:certificate\.(?:serialnumber|certificateid|(?:subject|issuer)\.alternativename\.[a-z0-9]+)/i;

/**
 * The key of that name. Names are compared without regard to case (IAM, "Condition element"), names of thing
 * attributes with. A name that is not known is no error: it is a key that never has a value.
 */
export function contextKey(name: string): ContextKey {
  const lower = name.toLowerCase();
  const found = FIXED.get(lower) ?? thingAttribute(name) ?? certificateAttribute(name);
  const known = found !== undefined || WITHOUT_FACTS.test(name);
  const own = found ?? nothing;
  return {
    name,
    known,
    resolve: (context) => {
      const value = context.extra.overrides?.get(lower) ?? own(context);
      return typeof value === 'string' && value.length > MAX_FACT_LENGTH ? undefined : value;
    },
  };
}

function nothing(): undefined {
  return undefined;
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
  if (side.toLowerCase() === 'issuer') return nothing;
  if (suffix.toLowerCase() === 'list') return (context) => subject(context).get(known);
  return (context) => subject(context).get(known)?.[Number(suffix)];
}

function availableKeys(context: RequestContext): Value {
  const keys = [...subject(context).keys()].map((attribute) => `iot:Certificate.Subject.${attribute}`);
  return keys.length === 0 ? undefined : keys;
}

/** Subject attributes; the common name stands alone where the broker tells nothing more. */
function subject({ identity }: RequestContext): ReadonlyMap<string, readonly string[]> {
  const certificate = identity.certificate;
  if (certificate === undefined) return new Map();
  const attributes = parseDistinguishedName(certificate.distinguishedName ?? '');
  if (attributes.has('CommonName') || /[*?]/.test(certificate.commonName)) return attributes;
  return new Map([...attributes, ['CommonName', [certificate.commonName]]]);
}
