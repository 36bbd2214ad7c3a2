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
import type { RequestContext } from '../conditions/context.js';
import { FilterAutomaton, START } from '../matching/filter-automaton.js';
import { PositionSets, type PositionSet } from '../matching/position-sets.js';

/** The answer, with a shortest topic as the evidence, and what it has cost: positions looked at. */
export type Coverage = { readonly cost: number } & Answer;

type Answer =
  | { readonly kind: 'all' }
  | { readonly kind: 'none' }
  /** This topic is matched by the filter, and to receive it is denied. */
  | { readonly kind: 'denied'; readonly topic: string }
  /** This topic is matched by the filter, and to receive it is allowed. */
  | { readonly kind: 'allowed'; readonly topic: string }
  | { readonly kind: 'undecided' };

/**
 * Positions looked at in all, for every character that is told apart there. The count bounds the time: a few milliseconds,
 * for which all hook calls wait.
 */
export const SEARCH_BUDGET = 30_000;

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
  const owners = rules.flatMap((rule) => rule.patterns.map(() => rule));
  const sets = new PositionSets(rules.flatMap(({ patterns }) => patterns));
  const allows = (set: PositionSet): boolean => {
    sets.cost += rules.length;
    return isAllowed(rules, new Set(sets.ended(set).map((pattern) => owners[pattern] as ReceiveRule)));
  };
  const seen = new Set<number>();
  let frontier: Step[] = [{ state: START, set: sets.start, char: 0, previous: undefined }];
  while (frontier.length > 0) {
    const next: Step[] = [];
    for (const step of frontier) {
      if (automaton.accepts(step.state) && allows(step.set) === (want === 'allowed')) {
        return { kind: want, topic: topicOf(step), cost: sets.cost };
      }
      const literal = automaton.literalAt(step.state);
      for (const char of literal === undefined ? step.set.choices : [literal]) {
        if (sets.cost > SEARCH_BUDGET) return { kind: 'undecided', cost: sets.cost };
        const state = automaton.next(step.state, char);
        if (state === undefined) continue;
        const set = sets.next(step.set, char);
        const key = set.id * MAX_STATES + state;
        if (seen.has(key)) continue;
        seen.add(key);
        next.push({ state, set, char, previous: step });
      }
    }
    frontier = next;
  }
  return { kind: want === 'denied' ? 'all' : 'none', cost: sets.cost };
}

/** Some Allow and no Deny takes in a topic that the patterns of those rules match. */
function isAllowed(rules: readonly ReceiveRule[], matched: ReadonlySet<ReceiveRule>): boolean {
  const holds = (rule: ReceiveRule): boolean => matched.has(rule) !== rule.except;
  return rules.some((rule) => !rule.denies && holds(rule)) && !rules.some((rule) => rule.denies && holds(rule));
}

/** More than a filter has characters (MQTT 5, section 1.5.4: 65,535 bytes). */
const MAX_STATES = 2 ** 17;

interface Step {
  readonly state: number;
  readonly set: PositionSet;
  readonly char: number;
  readonly previous: Step | undefined;
}

/** The topic read on the way to the step. */
function topicOf(last: Step): string {
  const chars: number[] = [];
  for (let step = last; step.previous !== undefined; step = step.previous) chars.push(step.char);
  return String.fromCodePoint(...chars.reverse());
}
