import { overlap, type Token } from './pattern.js';
import type { Clause } from './principals.js';
import { CRITERIA, type Criterion } from './thing.js';

/**
 * Pairs of patterns looked at, for each match that there is: what is compared beyond begins and ends alike with a hundred
 * others. Reading stays linear in the number of matches.
 */
const COMPARISONS_PER_CLAUSE = 100;

/** A clause by the literal text with which its strongest pattern begins and ends. */
interface Candidate {
  readonly clause: Clause;
  readonly start: string;
  /** Reversed, so that texts that end alike are neighbours when sorted. */
  readonly end: string;
}

/**
 * Reports matches of different principals that are equally specific and can both be true of one identity. It stops where
 * no more problems are told.
 */
export function reportAmbiguities(clauses: readonly Clause[]): void {
  const search = new Search(COMPARISONS_PER_CLAUSE * clauses.length);
  for (const group of groupsOf(clauses)) {
    if (search.over) return;
    const [first] = group;
    const pattern = first && CRITERIA.find((criterion) => !isExact(first.tokens.get(criterion)));
    if (pattern === undefined) search.compareEqual(group);
    else search.compare(group.map((clause) => candidateOf(clause, pattern)));
  }
}

/** Clauses that are equally specific and have the same exact texts: no others can be ambiguous. */
function groupsOf(clauses: readonly Clause[]): Iterable<readonly Clause[]> {
  const groups = new Map<string, Clause[]>();
  for (const clause of clauses) {
    const exact = CRITERIA.map((criterion) => clause.tokens.get(criterion)).filter(isExact);
    const key = JSON.stringify([clause.rank.map(String), exact]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [clause]);
    else group.push(clause);
  }
  return groups.values();
}

/** A criterion that is absent leaves nothing open either. */
function isExact(tokens: readonly Token[] | undefined): boolean {
  return tokens === undefined || tokens.every((token) => typeof token === 'string');
}

function candidateOf(clause: Clause, criterion: Criterion): Candidate {
  const tokens = clause.tokens.get(criterion) ?? [];
  return {
    clause,
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
  compareEqual([first, ...others]: readonly Clause[]): void {
    for (const other of others) {
      if (first === undefined || this.over) return;
      if (other.principal !== first.principal) this.report(first, other);
    }
  }

  /** Two patterns can meet only where one begins with what the other begins with, and ends with what the other ends with. */
  compare(candidates: readonly Candidate[]): void {
    const runs = runsOf(candidates, ({ start }) => start);
    const above: (readonly Candidate[])[] = [];
    for (const run of runs) {
      dropUnrelated(above, run, ({ start }) => start);
      this.compareEnds(run);
      for (const others of above) for (const one of others) for (const other of run) this.judge(one, other);
      if (this.over) return;
      above.push(run);
    }
  }

  /** Patterns that begin alike. */
  private compareEnds(candidates: readonly Candidate[]): void {
    const above: (readonly Candidate[])[] = [];
    for (const run of runsOf(candidates, ({ end }) => end)) {
      dropUnrelated(above, run, ({ end }) => end);
      for (const others of above) for (const one of others) for (const other of run) this.judge(one, other);
      run.forEach((one, index) => {
        for (let next = index + 1; next < run.length && !this.over; next++) this.judge(one, run[next] as Candidate);
      });
      if (this.over) return;
      above.push(run);
    }
  }

  private judge(one: Candidate, other: Candidate): void {
    if (this.over) return;
    this.budget--;
    if (this.budget < 0) {
      other.clause.at.error('too many patterns begin and end alike to tell whether two of them are ambiguous');
      return;
    }
    if (one.clause.principal === other.clause.principal) return;
    if (!one.end.startsWith(other.end) && !other.end.startsWith(one.end)) return;
    if (clausesOverlap(one.clause, other.clause)) this.report(one.clause, other.clause);
  }

  private report(one: Clause, other: Clause): void {
    other.at.error(
      `ambiguous: an identity can match this and, just as specifically, ${one.at.path} of ${one.principal.name}`,
    );
    this.full = other.at.full;
  }
}

/** The candidates in the order of the text, those with the same text together. */
function runsOf(candidates: readonly Candidate[], textOf: (candidate: Candidate) => string): Candidate[][] {
  const runs = new Map<string, Candidate[]>();
  for (const candidate of candidates) {
    const text = textOf(candidate);
    const run = runs.get(text);
    if (run === undefined) runs.set(text, [candidate]);
    else run.push(candidate);
  }
  return [...runs].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, run]) => run);
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

function clausesOverlap(one: Clause, other: Clause): boolean {
  return [...one.tokens].every(([criterion, tokens]) => overlap(tokens, other.tokens.get(criterion) ?? []));
}
