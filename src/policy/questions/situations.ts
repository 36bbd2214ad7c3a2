/** Who may ask, with texts that are not known: the identities that two clauses of principals.json take in. */
import type { Identity } from '../../identity/identity.js';
import type { Hole } from '../matching/position-sets.js';
import { ANY, ONE, matchTokens, overlap, type PlainToken } from '../matching/pattern.js';
import type { AnonymousClause } from '../principals/anonymous.js';
import type { Clause } from '../principals/principals.js';
import { CRITERIA, type Criterion, type ThingTemplate } from '../principals/thing.js';
import type { Unknown } from './exploring.js';

/** A text of which parts may be unknown. */
export type Symbols = readonly (string | Hole)[];

export type AnyClause = Pick<Clause, 'principal' | 'tokens'> & Partial<Pick<AnonymousClause, 'source'>>;

export interface Situation {
  readonly facts: Readonly<Partial<Record<Criterion, Symbols>>>;
  readonly sourceIp?: string;
  /** Values of context keys that nothing else says, by lower-case key. */
  readonly given: ReadonlyMap<string, Symbols>;
  /** Keys of that kind that have no value here. */
  readonly absent: ReadonlySet<string>;
  readonly unknowns: readonly Unknown[];
  /** The unknown that is the client ID and nothing else. */
  readonly ownClientId?: number;
  /** Names of things that are made of unknown texts. */
  readonly things?: readonly Symbols[];
  /** Not all that the clauses say could be taken into account. */
  readonly unclear?: true;
}

/** What of the statements matters for the choice of situations. */
export interface Interests {
  /** Some variable or condition is about the client ID or the thing. */
  readonly client: boolean;
  readonly username: boolean;
  /** Variables that only a fact can fill about which nothing is known. */
  readonly keys: readonly string[];
}

const ANYTHING: readonly PlainToken[] = [ANY];

/** Collects unknowns while the facts of a situation are laid down. */
class Draft {
  readonly unknowns: Unknown[] = [];
  readonly facts: Partial<Record<Criterion, Symbols>> = {};

  unknown(required: readonly (readonly PlainToken[])[], others: readonly (readonly PlainToken[])[] = []): Symbols {
    this.unknowns.push({ patterns: [...required, ...others], required: required.length });
    return [{ hole: this.unknowns.length - 1 }];
  }
}

/**
 * The situations in which one clause or the other, or both, may stand for whoever asks. Together they take in every
 * identity of whom that is true, but for facts of over 1,024 characters, which no policy variable has.
 * @param things the templates of the principals
 * @param others clauses that may be more specific
 * @param named those of them that name somebody of whom it matters
 */
export function situationsOf(
  clauses: readonly AnyClause[],
  things: readonly ThingTemplate[],
  others: readonly AnyClause[],
  named: readonly AnyClause[],
  interests: Interests,
): readonly Situation[] {
  const draft = new Draft();
  for (const criterion of CRITERIA) {
    const required = clauses.flatMap(({ tokens }) => tokens.get(criterion) ?? []);
    if (!clauses.some(({ tokens }) => tokens.has(criterion))) continue;
    const patterns = clauses.flatMap(({ tokens }) => {
      const pattern = tokens.get(criterion);
      return pattern === undefined ? [] : [pattern as readonly PlainToken[]];
    });
    const exact = patterns.find((pattern) => pattern.every((token) => typeof token === 'string'));
    if (exact !== undefined) draft.facts[criterion] = [exact.join('')];
    else if (required.length > 0)
      draft.facts[criterion] = draft.unknown(patterns, rivals(criterion, patterns, [...others, ...named]));
  }
  const anonymous = clauses.some((clause) => 'source' in clause);
  const source = clauses.map(({ source: range }) => range).find((range) => range !== undefined);
  return withKeys(withUsername(draft, anonymous, interests), interests).flatMap((one) =>
    withClientId(one, things, interests).map((found) => ({ ...found, ...(source && { sourceIp: source.network }) })),
  );
}

/** Patterns of other clauses about the same fact, so that identities for which those stand are told apart. */
function rivals(
  criterion: Criterion,
  patterns: readonly (readonly PlainToken[])[],
  others: readonly AnyClause[],
): readonly (readonly PlainToken[])[] {
  const found = new Map<string, readonly PlainToken[]>();
  for (const { tokens } of others) {
    const pattern = tokens.get(criterion) as readonly PlainToken[] | undefined;
    if (pattern === undefined) continue;
    if (patterns.every((own) => overlap(own, pattern))) found.set(JSON.stringify(pattern), pattern);
  }
  return [...found.values()];
}

type Half = Pick<Situation, 'facts' | 'unknowns' | 'given' | 'absent'>;

/** Whoever is known by a certificate, a client ID and the like may have any username, or none. */
function withUsername({ facts, unknowns }: Draft, anonymous: boolean, interests: Interests): readonly Half[] {
  const without: Half = { facts, unknowns, given: new Map(), absent: new Set() };
  if (anonymous || facts.username !== undefined || facts.accessKeyId !== undefined || facts.jwtSubject !== undefined) {
    return [without];
  }
  const proven = facts.commonName !== undefined || facts.distinguishedName !== undefined;
  if (proven && !interests.username) return [without];
  const any = add(without, (hole) => ({ ...facts, username: [{ hole }] }));
  return proven ? [without, any] : [any];
}

function withKeys(halves: readonly Half[], { keys }: Interests): readonly Half[] {
  return keys.reduce(
    (before, key) =>
      before.flatMap((half) => {
        const hole = half.unknowns.length;
        const without = { ...half, absent: new Set([...half.absent, key]) };
        return [without, { ...add(half, () => half.facts), given: new Map([...half.given, [key, [{ hole }]]]) }];
      }),
    halves,
  );
}

function add(half: Half, facts: (hole: number) => Situation['facts']): Half {
  const hole = half.unknowns.length;
  return {
    ...half,
    facts: facts(hole),
    unknowns: [...half.unknowns, { patterns: [ANYTHING], required: 1 }],
  };
}

/** An MQTT client has a client ID: any, that of its thing, or that which is its username. HTTP callers have none. */
function withClientId(half: Half, things: readonly ThingTemplate[], interests: Interests): readonly Situation[] {
  const { facts } = half;
  const http = facts.accessKeyId !== undefined || facts.jwtSubject !== undefined;
  const situations: Situation[] = [];
  const bound = new Map<string, Symbols>();
  for (const { name } of things) {
    const symbols = fillThing(name, facts);
    if (symbols !== undefined) bound.set(JSON.stringify(symbols), symbols);
  }
  // A client ID that is the name of the thing by chance is another kind of client ID.
  const apart = [...bound.values()];
  if (facts.clientId !== undefined) situations.push(tellThings(half, facts.clientId, apart));
  else {
    if (http || facts.commonName !== undefined || facts.distinguishedName !== undefined) situations.push(half);
    if (http) return situations;
    const hole = half.unknowns.length;
    const clientId = [{ hole }];
    situations.push(
      tellThings(
        add(half, () => ({ ...facts, clientId })),
        clientId,
        apart,
      ),
    );
  }
  if (!interests.client) return situations;
  if (facts.username !== undefined && interests.username) bound.set(JSON.stringify(facts.username), facts.username);
  if (facts.clientId !== undefined) bound.delete(JSON.stringify(facts.clientId));
  for (const clientId of bound.values()) situations.push(...bind(half, clientId));
  return situations;
}

/** Tells names of things from other client IDs, where a client ID is not known. */
function tellThings(half: Half, [own]: Symbols, things: readonly Symbols[]): Situation {
  if (typeof own !== 'object') return half;
  const { patterns, required } = half.unknowns[own.hole] as Unknown;
  const known = things.filter((symbols): symbols is readonly string[] =>
    symbols.every((part) => typeof part === 'string'),
  );
  const unknowns = half.unknowns.with(own.hole, { patterns: [...patterns, ...known], required });
  return {
    ...half,
    unknowns,
    ownClientId: own.hole,
    things: things.filter((symbols) => !known.includes(symbols as readonly string[])),
  };
}

/** The client ID is made of the other facts; what clauses say of it holds for them. */
function bind(half: Half, clientId: Symbols): readonly Situation[] {
  const { facts, unknowns } = half;
  const bound = { ...half, facts: { ...facts, clientId } };
  const [given] = facts.clientId ?? [];
  if (given === undefined) return [bound];
  const about = typeof given === 'string' ? undefined : (unknowns[given.hole] as Unknown);
  const required = about === undefined ? [[given as string]] : about.patterns.slice(0, about.required);
  const [only, ...more] = clientId;
  if (more.length > 0) return [{ ...bound, unclear: true }];
  if (typeof only !== 'object') return required.every((pattern) => matchTokens(pattern, only ?? '')) ? [bound] : [];
  const own = unknowns[only.hole] as Unknown;
  const both = { patterns: [...required, ...own.patterns], required: required.length + own.required };
  return [{ ...bound, unknowns: unknowns.with(only.hole, both) }];
}

/** The name of the thing; nothing where it needs a fact that there is not, or the client ID itself. */
function fillThing(name: ThingTemplate['name'], facts: Situation['facts']): Symbols | undefined {
  const symbols: (string | Hole)[] = [];
  for (const part of name) {
    const known = typeof part === 'string' ? [part] : facts[part.criterion];
    if (known === undefined) return undefined;
    for (const symbol of known) {
      const last = symbols.at(-1);
      if (typeof symbol === 'string' && typeof last === 'string') symbols[symbols.length - 1] = last + symbol;
      else symbols.push(symbol);
    }
  }
  return symbols;
}

/** The thing's name as the client has it; nothing where the thing does not count for this client ID. */
export function thingName({ facts }: Situation, thing: ThingTemplate): Symbols | undefined {
  const symbols = fillThing(thing.name, facts);
  if (symbols === undefined || thing.exclusive) return symbols;
  return JSON.stringify(symbols) === JSON.stringify(facts.clientId) ? symbols : undefined;
}

/** The identity once the unknown texts are chosen. */
export function identityOf({ facts, sourceIp }: Situation, words: readonly string[]): Identity {
  const text = (symbols: Symbols | undefined): string | undefined => symbols && fill(symbols, words);
  const { clientId, username, commonName, distinguishedName, accessKeyId, jwtSubject } = facts;
  const named = text(distinguishedName);
  return {
    protocol: clientId === undefined ? 'HTTP' : 'MQTT',
    ...(clientId && { clientId: text(clientId) }),
    ...(username && { username: text(username) }),
    ...((commonName ?? distinguishedName) && {
      certificate: { commonName: text(commonName) ?? '', ...(named !== undefined && { distinguishedName: named }) },
    }),
    ...(accessKeyId && { accessKeyId: fill(accessKeyId, words) }),
    ...(jwtSubject && { jwtSubject: fill(jwtSubject, words) }),
    ...(sourceIp !== undefined && { sourceIp }),
  };
}

/** The text, with the words in their holes. */
export function fill(symbols: Symbols, words: readonly string[]): string {
  return symbols.map((symbol) => (typeof symbol === 'string' ? symbol : (words[symbol.hole] ?? ''))).join('');
}

/** Facts of identities, each a text or a pattern as principals.json has them. */
export type Pattern = Readonly<Partial<Record<Criterion, string>>>;

/** What is true of everybody of whom an example is one: texts where the request says them, else what the match says. */
export function patternsOf(
  { facts }: Situation,
  words: readonly string[],
  passed: readonly boolean[],
  { tokens }: AnyClause,
): Pattern {
  const pattern: Partial<Record<Criterion, string>> = {};
  for (const criterion of CRITERIA) {
    const symbols = facts[criterion];
    if (symbols === undefined) continue;
    const open = symbols.some((symbol) => typeof symbol === 'object' && passed[symbol.hole] !== true);
    const own = tokens.get(criterion);
    const match = own?.map((token) => (token === ANY ? '*' : token === ONE ? '?' : escaped(token as string))).join('');
    if (!open) pattern[criterion] = escaped(fill(symbols, words));
    else if (match !== undefined) pattern[criterion] = match;
  }
  return pattern;
}

/** As principals.json has a text that is no pattern. */
function escaped(text: string): string {
  return text.replace(/[*?]|\$(?=\{)/g, '${$&}');
}
