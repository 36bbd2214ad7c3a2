/**
 * May a client receive everything that a filter can match? ExHook has no hook at delivery, so `iot:Receive` is decided
 * when the client subscribes: for all topics of the filter at once.
 *
 * The filter is a deterministic automaton, the resources of the statements are a non-deterministic one; their product is
 * walked breadth first, sets of positions of the second being its states. Wherever the filter accepts, the set tells
 * which statements match the topic read so far, and so the decision about it. This is exact; where it would take too
 * many steps the answer is `undecided`, which denies.
 */
import type { CompiledPolicies, ReceiveRule } from './compile.js';
import type { RequestContext } from './context.js';
import { FilterAutomaton, START } from './filter-automaton.js';
import { ANY, type Token } from './pattern.js';

/** The answer, with a shortest topic as the evidence. */
export type Coverage =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  /** This topic is matched by the filter, and to receive it is denied. */
  | { readonly kind: 'denied'; readonly topic: string }
  /** This topic is matched by the filter, and to receive it is allowed. */
  | { readonly kind: 'allowed'; readonly topic: string }
  | { readonly kind: 'undecided' };

/** Positions and rules looked at in all: some hundredths of a second at the worst. */
const BUDGET = 100_000;

const MATCH_ANY = -1;
const MATCH_ONE = -2;
/** After the last character of a pattern. */
const END = -3;
/** A position is the number of its pattern times this, and the place in it. Greater than any pattern is long. */
const STRIDE = 2 ** 20;
const SLASH = 0x2f;

/**
 * Searches the topics of the filter.
 * @param want `denied`: answers `all` where every topic is allowed, else `denied` with a topic that is not.
 *   `allowed`: answers `allowed` with a topic that is, else `none`.
 */
export function searchTopics(
  policies: CompiledPolicies,
  filter: string,
  want: 'denied' | 'allowed',
  hashMatchesParent: boolean,
  context: RequestContext,
): Coverage {
  const automaton = new FilterAutomaton(filter, hashMatchesParent);
  const rules = policies.receiveRules(automaton.literalPrefix, context);
  const patterns = new Patterns(rules);
  const seen = new Set<string>();
  let budget = BUDGET;
  let frontier: Step[] = [{ state: START, positions: patterns.start, char: 0, previous: undefined }];
  while (frontier.length > 0) {
    const next: Step[] = [];
    for (const step of frontier) {
      budget -= step.positions.length + 1;
      if (budget < 0) return { kind: 'undecided' };
      if (automaton.accepts(step.state)) {
        budget -= rules.length;
        if (patterns.allows(step.positions) === (want === 'allowed')) return { kind: want, topic: topicOf(step) };
      }
      for (const char of choices(automaton, patterns, step)) {
        const state = automaton.next(step.state, char);
        if (state === undefined) continue;
        const positions = patterns.next(step.positions, char);
        const key = `${state}:${positions.join()}`;
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ state, positions, char, previous: step });
      }
    }
    frontier = next;
  }
  return { kind: want === 'denied' ? 'all' : 'none' };
}

interface Step {
  readonly state: number;
  readonly positions: readonly number[];
  readonly char: number;
  readonly previous: Step | undefined;
}

/** The characters that need to be told apart at this place, and one that stands for all the others. */
function choices(automaton: FilterAutomaton, patterns: Patterns, { state, positions }: Step): Iterable<number> {
  const literal = automaton.literalAt(state);
  if (literal !== undefined) return [literal];
  const apart = new Set([SLASH, ...patterns.literalsAt(positions)]);
  let other = 'a'.charCodeAt(0);
  while (apart.has(other)) other++;
  return apart.add(other);
}

/** The topic read on the way to the step. */
function topicOf(last: Step): string {
  const chars: number[] = [];
  for (let step = last; step.previous !== undefined; step = step.previous) chars.push(step.char);
  return String.fromCodePoint(...chars.reverse());
}

/** All patterns together as one automaton; a state is the ascending list of the positions one may be at. */
class Patterns {
  readonly start: readonly number[];
  private readonly patterns: { readonly symbols: readonly number[]; readonly rule: ReceiveRule }[] = [];

  constructor(private readonly rules: readonly ReceiveRule[]) {
    const start: number[] = [];
    for (const rule of rules) {
      for (const tokens of rule.patterns) {
        this.patterns.push({ symbols: symbolsOf(tokens), rule });
        this.add(start, (this.patterns.length - 1) * STRIDE);
      }
    }
    this.start = start;
  }

  next(positions: readonly number[], char: number): readonly number[] {
    const next: number[] = [];
    for (const position of positions) {
      const symbol = this.symbolAt(position);
      if (symbol === MATCH_ANY) this.add(next, position);
      else if (symbol === MATCH_ONE || symbol === char) this.add(next, position + 1);
    }
    return next;
  }

  literalsAt(positions: readonly number[]): readonly number[] {
    return positions.map((position) => this.symbolAt(position)).filter((symbol) => symbol >= 0);
  }

  /** The decision about a topic that has led to these positions: some Allow and no Deny matches. */
  allows(positions: readonly number[]): boolean {
    const ended = positions.filter((position) => this.symbolAt(position) === END);
    const matched = new Set(ended.map((position) => this.patterns[Math.floor(position / STRIDE)]?.rule));
    const holds = (rule: ReceiveRule): boolean => matched.has(rule) !== rule.except;
    return (
      this.rules.some((rule) => !rule.denies && holds(rule)) && !this.rules.some((rule) => rule.denies && holds(rule))
    );
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
