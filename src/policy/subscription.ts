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

/** Positions visited in all: a few milliseconds at the worst. */
const BUDGET = 200_000;

const MATCH_ANY = -1;
const MATCH_ONE = -2;
/** Stands for every character that no pattern mentions at the place in question. */
const OTHER = -3;
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
  const patterns = new Patterns(policies.receiveRules(automaton.literalPrefix, context));
  const seen = new Set<string>();
  let budget = BUDGET;
  let frontier: Step[] = [{ state: START, positions: patterns.start, char: 0, previous: undefined }];
  while (frontier.length > 0) {
    const next: Step[] = [];
    for (const step of frontier) {
      budget -= step.positions.length + 1;
      if (budget < 0) return { kind: 'undecided' };
      if (automaton.accepts(step.state) && patterns.allows(step.positions) === (want === 'allowed')) {
        return { kind: want, topic: topicOf(step, patterns) };
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

/** The characters that need to be told apart at this place, and one for all the others. */
function choices(automaton: FilterAutomaton, patterns: Patterns, { state, positions }: Step): Iterable<number> {
  const literal = automaton.literalAt(state);
  if (literal !== undefined) return [literal];
  return new Set([OTHER, SLASH, ...patterns.literalsAt(positions)]);
}

/** The topic read on the way to the step; other characters become some that no pattern mentions. */
function topicOf(last: Step, patterns: Patterns): string {
  const chars: number[] = [];
  for (let step = last; step.previous !== undefined; step = step.previous) {
    chars.push(step.char === OTHER ? patterns.otherCharacter : step.char);
  }
  return String.fromCodePoint(...chars.reverse());
}

/** All patterns in a row as one automaton; a state is the ascending list of the positions one may be at. */
class Patterns {
  readonly start: readonly number[];
  /** A character that no pattern mentions. */
  readonly otherCharacter: number;
  private readonly items: number[] = [];
  /** By position of a pattern's end: its rule. */
  private readonly ends = new Map<number, ReceiveRule>();

  constructor(private readonly rules: readonly ReceiveRule[]) {
    const start: number[] = [];
    for (const rule of rules) {
      for (const tokens of rule.patterns) {
        const first = this.items.length;
        this.items.push(...tokens.flatMap(symbols));
        this.ends.set(this.items.length, rule);
        this.items.push(0);
        this.add(start, first);
      }
    }
    this.start = start;
    const mentioned = new Set(this.items);
    let candidate = 'a'.charCodeAt(0);
    while (mentioned.has(candidate)) candidate++;
    this.otherCharacter = candidate;
  }

  next(positions: readonly number[], char: number): readonly number[] {
    const next: number[] = [];
    for (const position of positions) {
      const item = this.items[position];
      if (item === MATCH_ANY) this.add(next, position);
      else if (!this.ends.has(position) && (item === MATCH_ONE || item === char)) this.add(next, position + 1);
    }
    return next;
  }

  literalsAt(positions: readonly number[]): readonly number[] {
    return positions
      .filter((position) => !this.ends.has(position))
      .map((position) => this.items[position] ?? OTHER)
      .filter((item) => item >= 0);
  }

  /** The decision about a topic that has led to these positions: some Allow and no Deny matches. */
  allows(positions: readonly number[]): boolean {
    const matched = new Set(positions.map((position) => this.ends.get(position)));
    const holds = (rule: ReceiveRule): boolean => matched.has(rule) !== rule.except;
    return (
      this.rules.some((rule) => !rule.denies && holds(rule)) && !this.rules.some((rule) => rule.denies && holds(rule))
    );
  }

  /** Positions come in ascending order, or are those just added: the list stays ascending and without repetition. */
  private add(positions: number[], position: number): void {
    const last = positions.at(-1) ?? -1;
    if (position > last) positions.push(position);
    if (this.items[position] === MATCH_ANY && !this.ends.has(position)) this.add(positions, position + 1);
  }
}

function symbols(token: Token): number[] {
  if (typeof token === 'string') return Array.from(token, (char) => char.codePointAt(0) ?? 0);
  return [token === ANY ? MATCH_ANY : MATCH_ONE];
}
