import type { Identity } from '../identity/identity.js';
import { RequestContext, type Thing } from './context.js';
import { matchTokens, type PlainToken, type Token } from './pattern.js';
import { PrefixIndex, type Visitor } from './prefix-index.js';
import type { Reporter } from './problems.js';

/** The facts that principals are matched by, strongest first. */
export const CRITERIA = [
  'distinguishedName',
  'commonName',
  'jwtSubject',
  'accessKeyId',
  'username',
  'clientId',
] as const;
export type Criterion = (typeof CRITERIA)[number];

/** A principal as declared, without its policies being looked up. */
export interface Principal {
  readonly name: string;
  readonly policies: readonly string[];
  readonly thing?: ThingTemplate;
}

/** A thing whose name may hold `${username}` and the like: texts, and facts of the identity. */
export interface ThingTemplate {
  readonly name: readonly (string | { readonly criterion: Criterion })[];
  readonly type: string | undefined;
  readonly attributes: ReadonlyMap<string, string>;
}

/** One way to be a principal: every criterion must match. */
export interface Clause {
  readonly principal: Principal;
  readonly tokens: ReadonlyMap<Criterion, readonly Token[]>;
  /** By criterion: absent 0, pattern 1 + its literal characters, exact Infinity. */
  readonly rank: readonly number[];
  readonly at: Reporter;
}

const NO_CONTEXT = new RequestContext({ protocol: 'MQTT' }, () => 0);

/** Who stands for which identity. Immutable. */
export class Principals {
  private readonly indexes: readonly CriterionIndex[];

  constructor(
    readonly all: readonly Principal[],
    clauses: readonly Clause[],
  ) {
    const sorted = clauses.toSorted((one, other) => compareRanks(other, one));
    this.indexes = CRITERIA.map((criterion) => new CriterionIndex(criterion, sorted)).filter(({ used }) => used);
  }

  /**
   * The principal whose match is the most specific: a certificate before a JWT, before an access key, before a
   * username, before a client ID; for the same fact the exact text before patterns, and longer patterns before shorter.
   */
  resolve(identity: Identity): Principal | undefined {
    for (const index of this.indexes) {
      const clause = index.best(identity);
      if (clause !== undefined) return clause.principal;
    }
    return undefined;
  }
}

/** The clauses whose strongest criterion is the one. */
class CriterionIndex {
  readonly used: boolean;
  /** Most specific first. */
  private readonly exact = new Map<string, Clause[]>();
  private readonly patterns: PrefixIndex<Clause> | undefined;

  /** @param clauses all there are, the most specific first */
  constructor(
    private readonly criterion: Criterion,
    clauses: readonly Clause[],
  ) {
    const patterns: (readonly [readonly Token[], Clause])[] = [];
    for (const clause of clauses) {
      if (strongest(clause) !== criterion) continue;
      const tokens = clause.tokens.get(criterion) ?? [];
      const [only] = tokens;
      if (tokens.length > 1 || typeof only !== 'string') {
        patterns.push([tokens, clause]);
        continue;
      }
      const same = this.exact.get(only) ?? [];
      same.push(clause);
      this.exact.set(only, same);
    }
    this.patterns = patterns.length === 0 ? undefined : new PrefixIndex(patterns);
    this.used = this.exact.size > 0 || patterns.length > 0;
  }

  /** The most specific clause that is true of the identity. */
  best(identity: Identity): Clause | undefined {
    const value = factOf(identity, this.criterion);
    if (value === undefined) return undefined;
    for (const clause of this.exact.get(value) ?? NO_CLAUSES) if (matches(clause, identity)) return clause;
    if (this.patterns === undefined) return undefined;
    const search = new ClauseSearch(identity);
    this.patterns.search(value, NO_CONTEXT, search);
    return search.best;
  }
}

const NO_CLAUSES: readonly Clause[] = [];

/** Keeps the most specific of the clauses that are true of the identity. */
class ClauseSearch implements Visitor<Clause> {
  best: Clause | undefined = undefined;

  constructor(private readonly identity: Identity) {}

  visit(clause: Clause): void {
    if (this.best !== undefined && compareRanks(clause, this.best) <= 0) return;
    if (matches(clause, this.identity)) this.best = clause;
  }
}

/** The thing of the principal for that identity; none where its name needs a fact that the identity does not have. */
export function thingOf({ thing }: Principal, identity: Identity): Thing | undefined {
  if (thing === undefined) return undefined;
  let name = '';
  for (const part of thing.name) {
    const text = typeof part === 'string' ? part : factOf(identity, part.criterion);
    if (text === undefined) return undefined;
    name += text;
  }
  return { name, type: thing.type, attributes: thing.attributes };
}

function factOf(identity: Identity, criterion: Criterion): string | undefined {
  switch (criterion) {
    case 'distinguishedName':
    case 'commonName':
      return identity.certificate?.[criterion];
    case 'jwtSubject':
    case 'accessKeyId':
    case 'username':
    case 'clientId':
      return identity[criterion];
  }
}

/** The first of the criteria that the clause has. */
export function strongest(clause: Clause): Criterion | undefined {
  return CRITERIA.find((criterion) => clause.tokens.has(criterion));
}

/** Whether the criteria are met; the index has already seen to the strongest one. */
function matches(clause: Clause, identity: Identity): boolean {
  if (clause.tokens.size === 1) return true;
  for (const [criterion, tokens] of clause.tokens) {
    const value = factOf(identity, criterion);
    if (value === undefined || !matchTokens(tokens as readonly PlainToken[], value)) return false;
  }
  return true;
}

function compareRanks(one: Clause, other: Clause): number {
  const differing = one.rank.findIndex((rank, index) => rank !== other.rank[index]);
  return differing < 0 ? 0 : (one.rank[differing] ?? 0) - (other.rank[differing] ?? 0);
}
