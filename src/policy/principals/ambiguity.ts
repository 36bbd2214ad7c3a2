import { overlap, type Token } from '../matching/pattern.js';
import type { DeclaredClause } from './principals.js';
import { CRITERIA, type Criterion } from './thing.js';
import { sorted, type Work } from '../work.js';

/**
 * Pairs of patterns looked at, for each match that there is: what is compared beyond begins and ends alike with a hundred
 * others. Reading stays linear in the number of matches.
 */
const COMPARISONS_PER_CLAUSE = 100;

/** A clause by the literal text with which its strongest pattern begins and ends. */
interface Candidate {
  readonly declared: DeclaredClause;
  readonly start: string;
  /** Reversed, so that texts that end alike are neighbours when sorted. */
  readonly end: string;
}

/**
 * Reports matches of different principals that are equally specific and can both be true of one identity. It stops where
 * no more problems are told.
 */
export function* reportAmbiguities(clauses: readonly DeclaredClause[]): Work<void> {
  const search = new Search(COMPARISONS_PER_CLAUSE * clauses.length);
  for (const group of yield* groupsOf(clauses)) {
    if (search.over) return;
    const [first] = group;
    const pattern = first && CRITERIA.find((criterion) => !isExact(first.clause.tokens.get(criterion)));
    if (pattern === undefined) search.compareEqual(group);
    else yield* search.compare(group, pattern);
    yield;
  }
}

/** Clauses that are equally specific and have the same exact texts: no others can be ambiguous. */
function* groupsOf(clauses: readonly DeclaredClause[]): Work<Iterable<readonly DeclaredClause[]>> {
  const groups = new Map<string, DeclaredClause[]>();
  for (const declared of clauses) {
    const { clause, rank } = declared;
    const exact = CRITERIA.map((criterion) => clause.tokens.get(criterion)).filter(isExact);
    const key = JSON.stringify([rank.map(String), exact]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [declared]);
    else group.push(declared);
    yield;
  }
  return groups.values();
}

/** A criterion that is absent leaves nothing open either. */
function isExact(tokens: readonly Token[] | undefined): boolean {
  return tokens === undefined || tokens.every((token) => typeof token === 'string');
}

function candidateOf(declared: DeclaredClause, criterion: Criterion): Candidate {
  const tokens = declared.clause.tokens.get(criterion) ?? [];
  return {
    declared,
    start: literal(tokens[0]),
    end: Array.from(literal(tokens.at(-1)))
      .reverse()
      .join(''),
  };
}

function literal(token: Token | undefined): string {
  return typeof token === 'string' ? token : '';
}

class Search {
  private full = false;

  constructor(private budget: number) {}

  get over(): boolean {
    return this.full || this.budget < 0;
  }

  /** Exact texts that are the same. */
  compareEqual([first, ...others]: readonly DeclaredClause[]): void {
    for (const other of others) {
      if (first === undefined || this.over) return;
      if (other.clause.principal !== first.clause.principal) this.report(first, other);
    }
  }

  /** Two patterns can meet only where one begins with what the other begins with, and ends with what the other ends with. */
  *compare(clauses: readonly DeclaredClause[], pattern: Criterion): Work<void> {
    const candidates: Candidate[] = [];
    for (const clause of clauses) {
      candidates.push(candidateOf(clause, pattern));
      yield;
    }
    const above: (readonly Candidate[])[] = [];
    for (const run of yield* runsOf(candidates, ({ start }) => start)) {
      yield;
      dropUnrelated(above, run, ({ start }) => start);
      yield* this.compareEnds(run);
      yield* this.judgeAll(above, run);
      if (this.over) return;
      above.push(run);
    }
  }

  /** Patterns that begin alike. */
  private *compareEnds(candidates: readonly Candidate[]): Work<void> {
    if (candidates.length < 2) return;
    const above: (readonly Candidate[])[] = [];
    for (const run of yield* runsOf(candidates, ({ end }) => end)) {
      yield;
      dropUnrelated(above, run, ({ end }) => end);
      yield* this.judgeAll(above, run);
      for (const [index, one] of run.entries()) {
        for (let next = index + 1; next < run.length && !this.over; next++) this.judge(one, run[next] as Candidate);
        yield;
      }
      if (this.over) return;
      above.push(run);
    }
  }

  private *judgeAll(above: readonly (readonly Candidate[])[], run: readonly Candidate[]): Work<void> {
    for (const others of above) {
      for (const one of others) {
        for (const other of run) this.judge(one, other);
        yield;
      }
    }
  }

  private judge({ declared: one, end }: Candidate, { declared: other, end: otherEnd }: Candidate): void {
    if (this.over) return;
    this.budget--;
    if (this.budget < 0) {
      other.at.error('too many patterns begin and end alike to tell whether two of them are ambiguous');
      return;
    }
    if (one.clause.principal === other.clause.principal) return;
    if (!end.startsWith(otherEnd) && !otherEnd.startsWith(end)) return;
    if (clausesOverlap(one, other)) this.report(one, other);
  }

  private report(one: DeclaredClause, other: DeclaredClause): void {
    other.at.error(
      `ambiguous: an identity can match this and, just as specifically, ${one.at.path} of ${one.clause.principal.name}`,
    );
    this.full = other.at.full;
  }
}

/** The candidates in the order of the text, those with the same text together. */
function* runsOf(
  candidates: readonly Candidate[],
  textOf: (candidate: Candidate) => string,
): Work<readonly (readonly Candidate[])[]> {
  const runs = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const text = textOf(candidate);
    const run = runs.get(text);
    if (run === undefined) runs.set(text, [candidate]);
    else run.push(candidate);
    yield;
  }
  const ordered = yield* sorted([...runs.values()], ([one], [other]) => {
    return textOf(one as Candidate) < textOf(other as Candidate) ? -1 : 1;
  });
  return ordered;
}

/** Leaves of the runs before those whose text the text of this one begins with. */
function dropUnrelated(
  above: (readonly Candidate[])[],
  [first]: readonly Candidate[],
  textOf: (candidate: Candidate) => string,
): void {
  for (let last = above.at(-1)?.[0]; last !== undefined; last = above.at(-1)?.[0]) {
    if (first !== undefined && textOf(first).startsWith(textOf(last))) return;
    above.pop();
  }
}

function clausesOverlap({ clause: one }: DeclaredClause, { clause: other }: DeclaredClause): boolean {
  return [...one.tokens].every(([criterion, tokens]) => overlap(tokens, other.tokens.get(criterion) ?? []));
}
