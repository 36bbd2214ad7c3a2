/**
 * Attributes of an X.509 subject, parsed from the text of its distinguished name: RFC 4514 (`CN=a,O=b`) and the
 * slash form of OpenSSL (`/O=b/CN=a`).
 */

/** Short names (RFC 4519 and OpenSSL) to the names of AWS IoT's certificate policy variables. */
const NAMES: ReadonlyMap<string, string> = new Map([
  ['cn', 'CommonName'],
  ['c', 'Country'],
  ['o', 'Organization'],
  ['ou', 'OrganizationalUnit'],
  ['st', 'State'],
  ['s', 'State'],
  ['serialnumber', 'SerialNumber'],
  ['title', 'Title'],
  ['sn', 'Surname'],
  ['gn', 'GivenName'],
  ['initials', 'Initials'],
  ['pseudonym', 'Pseudonym'],
  ['generationqualifier', 'GenerationQualifier'],
  ['dnqualifier', 'DistinguishedNameQualifier'],
]);

/** The attribute names that `iot:Certificate.Subject.*` and `iot:Certificate.Issuer.*` have. */
export const CERTIFICATE_ATTRIBUTES: readonly string[] = [...new Set(NAMES.values())];

/** AWS IoT takes at most five values of an attribute, none of over 1,024 characters. */
const MAX_VALUES = 5;
const MAX_LENGTH = 1024;
/** With one of these a value is not substituted: in a pattern or a topic filter it would be more than text. */
const SPECIAL = /[*$+?#]/;

/**
 * Values by attribute name, in the order of the text. Attributes that no policy variable has are left out. A value that
 * AWS IoT does not substitute (AWS IoT Core Developer Guide, "X.509 Certificate AWS IoT Core policy variables") is
 * undefined: it keeps its place, so that no other is taken for it.
 */
export function parseDistinguishedName(text: string): ReadonlyMap<string, readonly (string | undefined)[]> {
  const attributes = new Map<string, (string | undefined)[]>();
  const separators = text.startsWith('/') ? '/' : ',+';
  for (const part of split(text, separators)) {
    const equals = part.indexOf('=');
    if (equals < 0) continue;
    const type = part.slice(0, equals).trim().toLowerCase();
    const name = NAMES.get(type) ?? CERTIFICATE_ATTRIBUTES.find((known) => known.toLowerCase() === type);
    if (name === undefined) continue;
    const values = attributes.get(name) ?? [];
    if (values.length < MAX_VALUES) values.push(substitutable(unescape(part.slice(equals + 1).trim())));
    attributes.set(name, values);
  }
  return attributes;
}

/** The value, where AWS IoT puts it in the place of a policy variable. */
export function substitutable(value: string): string | undefined {
  return value.length > MAX_LENGTH || SPECIAL.test(value) ? undefined : value;
}

/** Parts between unescaped, unquoted separators. */
function split(text: string, separators: string): string[] {
  const parts: string[] = [];
  let start = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (char === '\\') at++;
    else if (char === '"') quoted = !quoted;
    else if (!quoted && separators.includes(char)) {
      parts.push(text.slice(start, at));
      start = at + 1;
    }
  }
  parts.push(text.slice(start));
  return parts;
}

/** Undoes RFC 4514 escapes: `\,` and the like, and runs of `\XX`, which are UTF-8 bytes. */
function unescape(value: string): string {
  const bare = value.length > 1 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  return bare
    .replace(/(?:\\[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll('\\', ''), 'hex').toString('utf8'))
    .replace(/\\(.)/g, '$1');
}
