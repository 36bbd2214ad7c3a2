/**
 * What changes in meaning from one policy set to another. Each change is proved by a request to which the engine gives two
 * answers. Where there is none, that is proved too: requests of every kind that the patterns tell apart have been tried.
 * Where neither can be proved, that is said.
 */
import { ACTION_NAMES } from '../actions.js';
import type { Action, Decision } from '../authorizer.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Work } from '../work.js';
import { compare, TOO_LARGE, type Difference } from './comparing.js';
import type { Side } from './forms.js';
import { interestsOf } from './interests.js';
import { isSame, isSameWho, meaningOf, meaningsOf } from './meaning.js';
import { pairsOf, type Pair } from './pairs.js';
import type { Budget } from './exploring.js';
import { situationsOf, type AnyClause } from './situations.js';

/** Something that a principal newly may do, or no longer may. */
export interface PolicyChange extends Difference {
  /** Who stands for the identity after the change; before it, where nobody does any more. */
  readonly principal: string;
  readonly action: Action;
  readonly effect: 'allow' | 'deny';
}

/** Something that may change and could not be made out. */
export interface UnclearChange {
  readonly principal: string;
  readonly action: Action;
  readonly reasons: readonly string[];
}

export interface PolicyDiff {
  /** For each principal and action one request newly allowed and one newly denied, where there are such. */
  readonly changes: readonly PolicyChange[];
  /** Where it could not be made out whether there are more changes. With no changes and none of these nothing changed. */
  readonly unclear: readonly UnclearChange[];
  /** Principals whose policies, match or thing are not written as they were. */
  readonly compared: number;
  /** False where the search ended at the limit. */
  readonly complete: boolean;
}

export interface DiffOptions {
  /** Milliseconds since the epoch, for conditions about time. */
  readonly now?: number;
  /** How much may be looked at for one principal and action, and for all of them. Beyond it is unclear. */
  readonly budget?: number;
  readonly totalBudget?: number;
  /** Changes beyond so many are not looked for. */
  readonly limit?: number;
}

/** Steps and positions; some hundred thousand take about a second. */
const BUDGET = 300_000;
const TOTAL_BUDGET = 100_000_000;

/** Compares two sets, which must stand for the same account. It pauses now and then: see `finish` and `finishInSlices`. */
export function* diffPolicies(before: PolicySet, after: PolicySet, options: DiffOptions = {}): Work<PolicyDiff> {
  const { now = Date.now(), budget = BUDGET, totalBudget = TOTAL_BUDGET, limit = Infinity } = options;
  const changes = new Map<string, PolicyChange>();
  const unclear = new Map<string, UnclearChange>();
  const compared = new Set<string>();
  const { pairs, rivals, incomplete } = yield* pairsOf(before, after);
  let left = totalBudget;
  for (const pair of pairs) {
    const sides = sidesOf(pair, before, after);
    const principal = (sides[1].found ?? sides[0].found)?.principal.name ?? '';
    compared.add(principal);
    for (const action of actionsOf(sides)) {
      const own = { left: Math.min(budget, left) };
      const granted = own.left;
      const wanted = EFFECTS.filter((effect) => !changes.has(JSON.stringify([principal, action, effect])));
      if (wanted.length === 0) continue;
      const context = { rivals, now, budget: own, wanted };
      const found = yield* comparePair(pair, action, sides, context);
      left -= granted - Math.max(0, own.left);
      for (const difference of found.differences) {
        const { effect } = difference.after;
        const key = JSON.stringify([principal, action, effect]);
        if (!changes.has(key)) changes.set(key, { principal, action, effect, ...difference });
      }
      const missing = incomplete && (pair.before === undefined || pair.after === undefined);
      const reasons = missing ? [...found.unclear, TOO_LARGE] : found.unclear;
      if (reasons.length > 0) {
        const key = JSON.stringify([principal, action]);
        const more = [...(unclear.get(key)?.reasons ?? []), ...reasons];
        unclear.set(key, { principal, action, reasons: [...new Set(more)] });
      }
      if (changes.size >= limit) break;
    }
    if (changes.size >= limit) break;
  }
  return {
    changes: [...changes.values()].slice(0, limit),
    unclear: [...unclear.values()],
    compared: compared.size,
    complete: changes.size < limit,
  };
}

interface PairContext {
  readonly rivals: readonly AnyClause[];
  readonly now: number;
  readonly budget: Budget;
  /** Of what no example is known yet. */
  readonly wanted: readonly Decision['effect'][];
}

/** One action, in every situation. Matches by name that turn out to matter are told apart in the next round. */
function* comparePair(
  pair: Pair,
  action: Action,
  sides: readonly [Side, Side],
  { rivals, now, budget, wanted }: PairContext,
): Work<{ differences: readonly Difference[]; unclear: readonly string[] }> {
  const clauses = [pair.before, pair.after].filter((clause) => clause !== undefined);
  const statements = sides.flatMap(({ found }) => found?.policies.statements ?? []);
  const interests = interestsOf(
    statements.filter(({ actions }) => actions.has(action)),
    action,
  );
  const things = clauses.flatMap(({ principal: { thing } }) => thing ?? []);
  const named = new Map<string, AnyClause>();
  const differences: Difference[] = [];
  for (let round = 0; ; round++) {
    const before = named.size;
    const unclear = new Set<string>();
    for (const situation of situationsOf(clauses, things, rivals, [...named.values()], interests)) {
      const left = wanted.filter((effect) => !differences.some(({ after }) => after.effect === effect));
      if (left.length === 0) return { differences, unclear: [] };
      const found = yield* compare(action, situation, sides, { now, budget, resolves: true, wanted: left });
      for (const difference of [found.allowed, found.denied])
        if (difference !== undefined) differences.push(difference);
      for (const clause of found.named) named.set(JSON.stringify([...clause.tokens]), clause);
      for (const reason of found.unclear) unclear.add(reason);
      yield;
    }
    if (named.size === before) return { differences, unclear: [...unclear] };
    if (round === MAX_ROUNDS) return { differences, unclear: [...unclear, NAMED] };
  }
}

const EFFECTS = ['allow', 'deny'] as const;
const MAX_ROUNDS = 4;
const NAMED = 'principals that are named, within the pattern of another';

function sidesOf(pair: Pair, before: PolicySet, after: PolicySet): readonly [Side, Side] {
  const find = (set: PolicySet, clause: Pair['before']): CompiledPrincipal | undefined =>
    clause && set.compiledFor(clause.principal);
  return [
    { set: before, found: find(before, pair.before) },
    { set: after, found: find(after, pair.after) },
  ];
}

/** Actions about which the two sides do not say the same. */
function actionsOf([before, after]: readonly [Side, Side]): readonly Action[] {
  if (isSame(before.found, after.found)) return [];
  const sameWho = isSameWho(before.found, after.found);
  const differing = new Set<Action>();
  for (const [side, other] of [
    [before, after],
    [after, before],
  ] as const) {
    const meanings = meaningsOf(other.found);
    for (const statement of side.found?.policies.statements ?? []) {
      if (sameWho && meanings.has(meaningOf(statement))) continue;
      for (const action of statement.actions) differing.add(action);
    }
  }
  return ACTION_NAMES.filter((action) => differing.has(action));
}
