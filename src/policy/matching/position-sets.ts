import { ANY, type PlainToken } from './pattern.js';

const MATCH_ANY = -1;
const MATCH_ONE = -2;
/** After the last character of a pattern. */
const END = -3;
/** Symbols from here downwards stand for texts that are not written in the pattern: see `Hole`. */
const FIRST_HOLE = -4;
/** A position is the number of its pattern times this, and the place in it. Greater than any pattern is long. */
const STRIDE = 2 ** 20;
const SLASH = 0x2f;

/** Where in all the patterns together one may be. There is one object for each set, so that what is known of it stays known. */
export interface PositionSet {
  /** Unique among the sets of one search. */
  readonly id: number;
  /** Ascending. */
  readonly positions: readonly number[];
  /** The characters that need to be told apart here, and one that stands for all the others. */
  readonly choices: readonly number[];
  readonly nexts: Map<number, PositionSet>;
}

/** A place in a pattern where a text stands that is chosen by whoever walks the automaton, who jumps over it. */
export interface Hole {
  /** From 0. */
  readonly hole: number;
}

/** What a pattern of the automaton consists of. */
export type Piece = PlainToken | Hole;

/**
 * Patterns as one automaton, whose states are sets of positions; made as they are needed, each once.
 */
export class PositionSets {
  readonly start: PositionSet;
  /** Positions looked at so far: what the search has cost, whatever the machine. */
  cost = 0;
  private readonly patterns: readonly (readonly number[])[];
  private readonly sets = new Map<string, PositionSet>();

  constructor(patterns: readonly (readonly Piece[])[]) {
    this.patterns = patterns.map(symbolsOf);
    const start: number[] = [];
    for (let index = 0; index < patterns.length; index++) this.add(start, index * STRIDE);
    this.start = this.setOf(start);
  }

  next(set: PositionSet, char: number): PositionSet {
    this.cost += 1;
    const known = set.nexts.get(char);
    if (known !== undefined) return known;
    this.cost += set.positions.length;
    const next: number[] = [];
    for (const position of set.positions) {
      const symbol = this.symbolAt(position);
      if (symbol === MATCH_ANY) this.add(next, position);
      else if (symbol === MATCH_ONE || symbol === char) this.add(next, position + 1);
    }
    const found = this.setOf(next);
    set.nexts.set(char, found);
    return found;
  }

  /** Indexes of the patterns that match the text read so far. */
  ended({ positions }: PositionSet): readonly number[] {
    this.cost += positions.length;
    return positions
      .filter((position) => this.symbolAt(position) === END)
      .map((position) => Math.floor(position / STRIDE));
  }

  /** Where the patterns go on for which the text of the hole stands here. */
  jump({ positions }: PositionSet, hole: number): PositionSet {
    this.cost += positions.length;
    const next: number[] = [];
    for (const position of positions) {
      if (this.symbolAt(position) === FIRST_HOLE - hole) this.add(next, position + 1);
    }
    return this.setOf(next);
  }

  union(one: PositionSet, other: PositionSet): PositionSet {
    const both = new Set([...one.positions, ...other.positions]);
    return this.setOf([...both].sort((first, second) => first - second));
  }

  private setOf(positions: readonly number[]): PositionSet {
    this.cost += positions.length + 1;
    const key = positions.join();
    let set = this.sets.get(key);
    if (set === undefined) {
      set = { id: this.sets.size, positions, choices: this.choicesAt(positions), nexts: new Map() };
      this.sets.set(key, set);
    }
    return set;
  }

  private choicesAt(positions: readonly number[]): readonly number[] {
    const apart = new Set([SLASH]);
    for (const position of positions) {
      const symbol = this.symbolAt(position);
      if (symbol >= 0) apart.add(symbol);
    }
    let other = 'a'.charCodeAt(0);
    while (apart.has(other)) other++;
    return [...apart, other];
  }

  private symbolAt(position: number): number {
    return this.patterns[Math.floor(position / STRIDE)]?.[position % STRIDE] ?? END;
  }

  /** Positions come in ascending order, or are those just added: the list stays ascending and without repetition. */
  private add(positions: number[], position: number): void {
    const last = positions.at(-1) ?? -1;
    if (position > last) positions.push(position);
    if (this.symbolAt(position) === MATCH_ANY) this.add(positions, position + 1);
  }
}

/** Patterns of policies stay the same arrays from one request to the next, unless they have variables. */
const symbolCache = new WeakMap<readonly Piece[], readonly number[]>();

function symbolsOf(tokens: readonly Piece[]): readonly number[] {
  const known = symbolCache.get(tokens) ?? tokens.flatMap(toSymbols);
  symbolCache.set(tokens, known);
  return known;
}

function toSymbols(token: Piece): number[] {
  if (typeof token === 'string') return Array.from(token, (char) => char.codePointAt(0) ?? 0);
  if (typeof token === 'object') return [FIRST_HOLE - token.hole];
  return [token === ANY ? MATCH_ANY : MATCH_ONE];
}
