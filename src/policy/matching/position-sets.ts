import type { ReceiveRule } from '../deciding/compile.js';
import { ANY, type Token } from './pattern.js';

const MATCH_ANY = -1;
const MATCH_ONE = -2;
/** After the last character of a pattern. */
const END = -3;
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

/**
 * All patterns of some rules as one automaton, whose states are sets of positions; made as they are needed, each once.
 */
export class PositionSets {
  readonly start: PositionSet;
  /** Positions looked at so far: what the search has cost, whatever the machine. */
  cost = 0;
  private readonly patterns: { readonly symbols: readonly number[]; readonly rule: ReceiveRule }[] = [];
  private readonly sets = new Map<string, PositionSet>();

  constructor(private readonly rules: readonly ReceiveRule[]) {
    const start: number[] = [];
    for (const rule of rules) {
      for (const tokens of rule.patterns) {
        this.patterns.push({ symbols: symbolsOf(tokens), rule });
        this.add(start, (this.patterns.length - 1) * STRIDE);
      }
    }
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

  /** The decision about a topic that has led to these positions: some Allow and no Deny matches. */
  allows({ positions }: PositionSet): boolean {
    this.cost += positions.length + this.rules.length;
    const ended = positions.filter((position) => this.symbolAt(position) === END);
    const matched = new Set(ended.map((position) => this.patterns[Math.floor(position / STRIDE)]?.rule));
    const holds = (rule: ReceiveRule): boolean => matched.has(rule) !== rule.except;
    return (
      this.rules.some((rule) => !rule.denies && holds(rule)) && !this.rules.some((rule) => rule.denies && holds(rule))
    );
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
    return this.patterns[Math.floor(position / STRIDE)]?.symbols[position % STRIDE] ?? END;
  }

  /** Positions come in ascending order, or are those just added: the list stays ascending and without repetition. */
  private add(positions: number[], position: number): void {
    const last = positions.at(-1) ?? -1;
    if (position > last) positions.push(position);
    if (this.symbolAt(position) === MATCH_ANY) this.add(positions, position + 1);
  }
}

/** Patterns of policies stay the same arrays from one request to the next, unless they have variables. */
const symbolCache = new WeakMap<readonly Token[], readonly number[]>();

function symbolsOf(tokens: readonly Token[]): readonly number[] {
  const known = symbolCache.get(tokens) ?? tokens.flatMap(toSymbols);
  symbolCache.set(tokens, known);
  return known;
}

function toSymbols(token: Token): number[] {
  if (typeof token === 'string') return Array.from(token, (char) => char.codePointAt(0) ?? 0);
  return [token === ANY ? MATCH_ANY : MATCH_ONE];
}
