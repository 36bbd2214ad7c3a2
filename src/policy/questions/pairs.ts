/** Which match of principals.json can stand for an identity before a change, and which after it. */
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import { overlap, type Token } from '../matching/pattern.js';
import type { AnonymousClause } from '../principals/anonymous.js';
import { CRITERIA } from '../principals/thing.js';
import type { Work } from '../work.js';
import { isSame } from './meaning.js';
import type { AnyClause } from './situations.js';

/** Nothing where nobody stands for the identity. */
export interface Pair {
  readonly before: AnyClause | undefined;
  readonly after: AnyClause | undefined;
}

export interface Pairs {
  readonly pairs: readonly Pair[];
  /** Matches with patterns, of both sets. */
  readonly rivals: readonly AnyClause[];
  /** There were too many changed matches to pair each with all others. */
  readonly incomplete: boolean;
}

/** Pairs of matches looked at, at the most. */
const MAX_PAIRED = 5_000_000;

/** The pairs for which the answer can have changed. */
export function* pairsOf(before: PolicySet, after: PolicySet): Work<Pairs> {
  const old = yield* byText(clausesOf(before));
  const recent = yield* byText(clausesOf(after));
  const pairs: Pair[] = [];
  const gone: AnyClause[] = [];
  const added: AnyClause[] = [];
  for (const [text, clause] of old) {
    yield;
    const same = recent.get(text);
    if (same === undefined) gone.push(clause);
    else if (!isSame(compiled(before, clause), compiled(after, same))) pairs.push({ before: clause, after: same });
  }
  for (const [text, clause] of recent) if (!old.has(text)) added.push(clause);
  const isComplete = gone.length * recent.size + added.length * old.size <= MAX_PAIRED;
  for (const clause of gone) {
    pairs.push({ before: clause, after: undefined });
    if (isComplete) yield* pairWith(clause, recent.values(), (other) => pairs.push({ before: clause, after: other }));
  }
  for (const clause of added) {
    pairs.push({ before: undefined, after: clause });
    if (!isComplete) continue;
    const isGone = new Set(gone);
    // With those that are gone it has been paired.
    const others = [...old.values()].filter((other) => !isGone.has(other));
    yield* pairWith(clause, others, (other) => pairs.push({ before: other, after: clause }));
  }
  const rivals = [...old.values(), ...recent.values()].filter(({ tokens }) => [...tokens.values()].some(hasWildcard));
  return { pairs, rivals, incomplete: !isComplete };
}

function clausesOf({ principals }: PolicySet): readonly AnyClause[] {
  return [...principals.clauses, ...principals.anonymous.clauses];
}

function compiled(set: PolicySet, { principal }: AnyClause): CompiledPrincipal | undefined {
  return set.compiledFor(principal);
}

function* byText(clauses: readonly AnyClause[]): Work<ReadonlyMap<string, AnyClause>> {
  const found = new Map<string, AnyClause>();
  for (const clause of clauses) {
    const { source } = clause as Partial<AnonymousClause>;
    const facts = CRITERIA.map((criterion) => clause.tokens.get(criterion) ?? null);
    const kind = 'source' in clause ? [source?.network, source?.bits] : 'verified';
    found.set(JSON.stringify([clause.principal.name, facts, kind]), clause);
    yield;
  }
  return found;
}

function* pairWith(clause: AnyClause, others: Iterable<AnyClause>, found: (other: AnyClause) => void): Work<void> {
  for (const other of others) {
    if (canBothMatch(clause, other)) found(other);
    yield;
  }
}

function canBothMatch(one: AnyClause, other: AnyClause): boolean {
  if ('source' in one !== 'source' in other) return false;
  return [...one.tokens].every(([criterion, tokens]) => {
    const others = other.tokens.get(criterion);
    return others === undefined || overlap(tokens, others);
  });
}

function hasWildcard(tokens: readonly Token[]): boolean {
  return tokens.some((token) => typeof token !== 'string');
}
