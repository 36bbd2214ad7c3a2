import type { Identity } from '../../identity/identity.js';
import { AnonymousPrincipals, isUnverified, type AnonymousClause } from './anonymous.js';
import { RequestContext } from '../conditions/context.js';
import { matchTokens, type PlainToken, type Token } from '../matching/pattern.js';
import { indexPatterns, type Entry, type PatternIndex, type Visitor } from '../matching/prefix-index.js';
import type { Reporter } from '../reading/problems.js';
import { CRITERIA, factOf, type Criterion, type ThingTemplate } from './thing.js';
import { sorted, type Work } from '../work.js';

/** A principal as declared, without its policies being looked up. */
export interface Principal {
  readonly name: string;
  /** Place among all. */
  readonly index: number;
  readonly policies: readonly string[];
  readonly thing?: ThingTemplate;
}

/** One way to be a principal: every criterion must match. */
export interface Clause {
  readonly principal: Principal;
  readonly tokens: ReadonlyMap<Criterion, readonly Token[]>;
}

/** What is needed of a clause until all are known. */
export interface DeclaredClause {
  readonly clause: Clause;
  /** By criterion: absent 0, pattern 1 + its literal characters, exact Infinity. */
  readonly rank: readonly number[];
  readonly at: Reporter;
}

const NO_CONTEXT = new RequestContext({ protocol: 'MQTT' }, () => 0);

/** Who stands for which identity. Immutable. */
export class Principals {
  private constructor(
    readonly all: readonly Principal[],
    /** The most specific first. */
    readonly clauses: readonly Clause[],
    private readonly indexes: readonly CriterionIndex[],
    readonly anonymous: AnonymousPrincipals,
  ) {}

  static *of(
    all: readonly Principal[],
    declared: readonly DeclaredClause[],
    anonymous: readonly AnonymousClause[],
  ): Work<Principals> {
    const byRank = yield* sorted(declared, (one, other) => compareRanks(other, one));
    const bestFirst = byRank.map(({ clause }) => clause);
    const indexes: CriterionIndex[] = [];
    for (const criterion of CRITERIA) {
      const index = yield* CriterionIndex.of(criterion, bestFirst);
      if (index !== undefined) indexes.push(index);
    }
    return new Principals(all, bestFirst, indexes, new AnonymousPrincipals(anonymous));
  }

  /**
   * The principal whose match is the most specific: a certificate before a JWT, before an access key, before a
   * username, before a client ID; for the same fact the exact text before patterns, and longer patterns before shorter.
   * Where nothing of the identity was verified, only an anonymous principal can stand for it.
   */
  resolve(identity: Identity): Principal | undefined {
    if (isUnverified(identity)) return this.anonymous.resolve(identity);
    for (const index of this.indexes) {
      const clause = index.best(identity);
      if (clause !== undefined) return clause.principal;
    }
    return undefined;
  }
}

/** The clauses whose strongest criterion is the one. */
class CriterionIndex {
  private constructor(
    private readonly criterion: Criterion,
    /** Most specific first. */
    private readonly exact: ReadonlyMap<string, readonly Clause[]>,
    private readonly patterns: PatternIndex | undefined,
    private readonly clauses: readonly Clause[],
  ) {}

  /** Nothing where there are none. @param clauses all there are, the most specific first */
  static *of(criterion: Criterion, clauses: readonly Clause[]): Work<CriterionIndex | undefined> {
    const exact = new Map<string, Clause[]>();
    const patterns: Entry[] = [];
    for (const [payload, clause] of clauses.entries()) {
      yield;
      if (strongest(clause) !== criterion) continue;
      const tokens = clause.tokens.get(criterion) ?? [];
      const [only] = tokens;
      if (tokens.length > 1 || typeof only !== 'string') {
        patterns.push({ tokens, payload });
        continue;
      }
      const same = exact.get(only);
      if (same === undefined) exact.set(only, [clause]);
      else same.push(clause);
    }
    if (exact.size === 0 && patterns.length === 0) return undefined;
    const index = patterns.length === 0 ? undefined : yield* indexPatterns(patterns);
    return new CriterionIndex(criterion, exact, index, clauses);
  }

  /** The most specific clause that is true of the identity. */
  best(identity: Identity): Clause | undefined {
    const value = factOf(identity, this.criterion);
    if (value === undefined) return undefined;
    for (const clause of this.exact.get(value) ?? NO_CLAUSES) if (matches(clause, identity)) return clause;
    if (this.patterns === undefined) return undefined;
    const search = new ClauseSearch(this.clauses, identity);
    this.patterns.search(value, 0, NO_CONTEXT, search);
    return this.clauses[search.best];
  }
}

const NO_CLAUSES: readonly Clause[] = [];

/** Keeps the most specific of the clauses that are true of the identity: the first one. */
class ClauseSearch implements Visitor {
  best: number;

  constructor(
    private readonly clauses: readonly Clause[],
    private readonly identity: Identity,
  ) {
    this.best = clauses.length;
  }

  visit(index: number): void {
    const clause = this.clauses[index];
    if (index < this.best && clause !== undefined && matches(clause, this.identity)) this.best = index;
  }
}

/** The first of the criteria that the clause has. */
function strongest(clause: Clause): Criterion | undefined {
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

function compareRanks(one: DeclaredClause, other: DeclaredClause): number {
  const differing = one.rank.findIndex((rank, index) => rank !== other.rank[index]);
  return differing < 0 ? 0 : (one.rank[differing] ?? 0) - (other.rank[differing] ?? 0);
}
