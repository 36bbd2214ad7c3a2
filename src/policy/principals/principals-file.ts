import { reportAmbiguities } from './ambiguity.js';
import { ANONYMOUS_CRITERIA, reportAnonymousAmbiguities, type AnonymousClause } from './anonymous.js';
import { readRange, type AddressRange } from '../conditions/ip-address.js';
import { isObject, memberOf, readLargeJson, reportUnknown, type Json } from '../reading/json.js';
import { parsePattern, PatternError, type Token } from '../matching/pattern.js';
import { Principals, type Clause, type DeclaredClause, type Principal } from './principals.js';
import type { Reporter } from '../reading/problems.js';
import { CRITERIA, type Criterion, type ThingTemplate } from './thing.js';
import type { Work } from '../work.js';

const PRINCIPAL_ELEMENTS = ['match', 'policies', 'thing', 'anonymous'];
const THING_ELEMENTS = ['name', 'type', 'attributes', 'exclusive'];
const MAX_POLICIES = 10;
/** They are gone through one by one at each decision about a client that proved nothing. */
const MAX_ANONYMOUS = 200;

/**
 * Reads principals.json. Every problem goes to the reporter, ambiguity included: two principals whose equally specific
 * matches can both be true of one identity.
 */
export function* parsePrincipals(text: string, policies: ReadonlySet<string>, report: Reporter): Work<Principals> {
  const { root, members } = (yield* readLargeJson(text, report, 'principals')) ?? { members: [] };
  const declared = isObject(root) ? root['principals'] : undefined;
  if (root !== undefined && !isObject(declared)) report.expected('an object {"principals": {name: ...}}', root);
  if (isObject(root)) reportUnknown(root, ['$schema', 'principals'], report);
  const all: Principal[] = [];
  const clauses: DeclaredClause[] = [];
  const anonymous: AnonymousClause[] = [];
  for (const member of members) {
    yield;
    const item = memberOf(text, member);
    const { name } = member;
    const at = report.at('principals').at(name).named(name);
    if (!isObject(item)) {
      at.expected('an object with match and policies', item);
      continue;
    }
    reportUnknown(item, PRINCIPAL_ELEMENTS, at);
    const thing = readThing(item['thing'], at.at('thing'));
    const principal: Principal = {
      name,
      index: all.length,
      policies: readPolicies(item['policies'], policies, at.at('policies')),
      ...(thing === undefined ? {} : { thing }),
    };
    all.push(principal);
    if (readAnonymous(item['anonymous'], at.at('anonymous'))) {
      const own = readMatch(item['match'], at.at('match'), (match, place) =>
        readAnonymousClause(match, principal, place),
      );
      checkThingName(principal, own, at);
      anonymous.push(...own);
    } else {
      const own = readMatch(item['match'], at.at('match'), (match, place) => readClause(match, principal, place));
      checkThingName(
        principal,
        own.map(({ clause }) => clause),
        at,
      );
      clauses.push(...own);
    }
  }
  yield* reportAmbiguities(clauses);
  if (anonymous.length > MAX_ANONYMOUS) {
    report.at('principals').error(`expected at most ${MAX_ANONYMOUS} matches of anonymous principals`);
  } else reportAnonymousAmbiguities(anonymous);
  return yield* Principals.of(all, clauses, anonymous);
}

function readPolicies(found: Json | undefined, known: ReadonlySet<string>, at: Reporter): readonly string[] {
  if (!Array.isArray(found)) {
    at.expected('an array of names of policies', found);
    return [];
  }
  if (found.length > MAX_POLICIES) at.warn(`${found.length} policies are over the limit of AWS, ${MAX_POLICIES}`);
  const names = new Set<string>();
  found.forEach((name: Json, index) => {
    if (typeof name !== 'string' || !known.has(name))
      at.at(index).expected('the name of a policy in this folder (its file without .json)', name);
    else if (names.has(name)) at.at(index).expected('each policy once', name);
    else names.add(name);
  });
  return [...names];
}

function readAnonymous(found: Json | undefined, at: Reporter): boolean {
  if (found !== undefined && typeof found !== 'boolean') at.expected('true or false', found);
  if (found !== true) return false;
  at.warn('clients that prove nothing are this principal: whoever reaches the broker can claim any client ID');
  return true;
}

function readMatch<T>(
  found: Json | undefined,
  at: Reporter,
  readItem: (match: Json, at: Reporter) => T | undefined,
): readonly T[] {
  const several = Array.isArray(found);
  const items = several ? found : found === undefined ? [] : [found];
  if (items.length === 0) at.expected('an object like {"username": "lock-*"} or an array of such', found);
  return items.flatMap((item, index) => {
    const place = several ? at.at(index) : at;
    const clause = readItem(item, place);
    return clause === undefined ? [] : [clause];
  });
}

function readAnonymousClause(found: Json, principal: Principal, at: Reporter): AnonymousClause | undefined {
  if (!isObject(found) || Object.keys(found).length === 0) {
    at.expected(`an object with ${ANONYMOUS_CRITERIA.join(' or ')}, or both`, found);
    return undefined;
  }
  reportUnknown(found, ANONYMOUS_CRITERIA, at);
  const { clientId, sourceIp } = found;
  const pattern = clientId === undefined ? undefined : readCriterion(clientId, 'clientId', at.at('clientId'));
  const source = sourceIp === undefined ? undefined : readSource(sourceIp, at.at('sourceIp'));
  // Half of a match would be wider than what was meant.
  if ((clientId !== undefined && !pattern) || (sourceIp !== undefined && !source)) return undefined;
  if (!pattern && !source) return undefined;
  return {
    principal,
    tokens: new Map(pattern && [['clientId', pattern]]),
    source,
    rank: [specificity(pattern), source === undefined ? 0 : source.bits + 1],
    at,
  };
}

function readSource(value: Json, at: Reporter): AddressRange | undefined {
  if (typeof value === 'string') {
    try {
      return readRange(value);
    } catch (error) {
      if (!(error instanceof PatternError)) throw error;
    }
  }
  at.expected('an IPv4 or IPv6 address or a range in CIDR notation', value);
  return undefined;
}

function readClause(found: Json, principal: Principal, at: Reporter): DeclaredClause | undefined {
  if (!isObject(found) || Object.keys(found).length === 0) {
    at.expected(`an object with some of ${CRITERIA.join(', ')}`, found);
    return undefined;
  }
  reportUnknown(found, CRITERIA, at);
  const tokens = new Map<Criterion, readonly Token[]>();
  for (const criterion of CRITERIA) {
    const value = found[criterion];
    if (value === undefined) continue;
    const pattern = readCriterion(value, criterion, at.at(criterion));
    if (pattern !== undefined) tokens.set(criterion, pattern);
  }
  if (tokens.size === 1 && tokens.has('clientId')) {
    at.warn('a client ID is what the client claims: add the username or certificate that was verified');
  }
  const rank = CRITERIA.map((criterion) => specificity(tokens.get(criterion)));
  return tokens.size === 0 ? undefined : { clause: { principal, tokens }, rank, at };
}

/** `*` and `?` are wildcards, `${*}` and `${?}` those characters; an access key is always exact. */
function readCriterion(value: Json, criterion: Criterion, at: Reporter): readonly Token[] | undefined {
  if (typeof value !== 'string' || value === '') {
    at.expected('a text or a pattern', value);
    return undefined;
  }
  try {
    const { tokens, variables } = parsePattern(value, { wildcards: true, variables: true });
    if (variables.length > 0) throw new PatternError('no variables other than ${*}, ${?} and ${$}');
    if (criterion === 'accessKeyId' && specificity(tokens) !== Infinity) throw new PatternError('no wildcards');
    return tokens;
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    at.expected(error.message, value);
    return undefined;
  }
}

function specificity(tokens: readonly Token[] | undefined): number {
  if (tokens === undefined) return 0;
  if (tokens.every((token) => typeof token === 'string')) return Infinity;
  return tokens.reduce<number>((sum, token) => sum + (typeof token === 'string' ? token.length : 0), 1);
}

function readThing(found: Json | undefined, at: Reporter): ThingTemplate | undefined {
  if (found === undefined) return undefined;
  if (!isObject(found)) {
    at.expected('an object with name, and perhaps type and attributes', found);
    return undefined;
  }
  reportUnknown(found, THING_ELEMENTS, at);
  const { name, type, exclusive } = found;
  if (typeof name !== 'string' || name === '') at.at('name').expected('a name', name);
  if (type !== undefined && typeof type !== 'string') at.at('type').expected('a text', type);
  if (exclusive !== undefined && typeof exclusive !== 'boolean')
    at.at('exclusive').expected('true or false', exclusive);
  return {
    name: typeof name === 'string' ? readThingName(name, at.at('name')) : [],
    exclusive: exclusive === true,
    type: typeof type === 'string' ? type : undefined,
    attributes: readAttributes(found['attributes'], at.at('attributes')),
  };
}

function readThingName(text: string, at: Reporter): ThingTemplate['name'] {
  return text.split(/(\$\{[^}]*\}?)/).flatMap((part): ThingTemplate['name'] => {
    if (!part.startsWith('${')) return part === '' ? [] : [part];
    const criterion = CRITERIA.find((candidate) => part === `\${${candidate}}`);
    if (criterion === undefined) at.expected(`one of ${CRITERIA.join(', ')} in \${}`, part);
    return criterion === undefined ? [] : [{ criterion }];
  });
}

function readAttributes(found: Json | undefined, at: Reporter): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  if (found !== undefined && !isObject(found)) at.expected('an object of texts', found);
  for (const [name, value] of Object.entries(isObject(found) ? found : {})) {
    if (typeof value !== 'string') at.at(name).expected('a text', value);
    // Only the name has placeholders: here one would be compared as it stands, and never be what was meant.
    else if (value.includes('${')) at.at(name).expected('a text without ${}', value);
    else attributes.set(name, value);
  }
  return attributes;
}

/** A name that uses a fact which some match does not require would leave that match without a thing. */
function checkThingName({ thing }: Principal, clauses: readonly Pick<Clause, 'tokens'>[], at: Reporter): void {
  for (const part of thing?.name ?? []) {
    if (typeof part === 'string' || part.criterion === 'clientId') continue;
    if (clauses.every(({ tokens }) => tokens.has(part.criterion))) continue;
    at.at('thing').at('name').expected(`only facts that every match requires in \${}`, part.criterion);
  }
}
