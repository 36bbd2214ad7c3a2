/** Compares what two sides answer to the requests of one action in one situation. */
import type { Action, Decision } from '../authorizer.js';
import type { Token } from '../matching/pattern.js';
import type { PolicySet } from '../policy-set.js';
import type { Principal } from '../principals/principals.js';
import { factOf } from '../principals/thing.js';
import type { Work } from '../work.js';
import { factsFor, openStatements, possibleAnswers } from './conditions.js';
import { explore, type Budget, type Example } from './exploring.js';
import { formOf, type Form, type Side } from './forms.js';
import { answer, arnOf, contextFor, isAsExplored, requestOf, withFacts, type SampleRequest } from './requests.js';
import type { AnyClause, Situation } from './situations.js';

/** A request with two answers. */
export interface Difference {
  readonly request: SampleRequest;
  readonly before: Decision;
  readonly after: Decision;
}

export interface Comparison {
  /** A request that was denied and is allowed. */
  readonly allowed?: Difference;
  /** A request that was allowed and is denied. */
  readonly denied?: Difference;
  /** Why there may be differences that were not found; empty where what was found is all there is to find. */
  readonly unclear: readonly string[];
  /** Matches by name that stood in the way: with them among the rivals more can be told. */
  readonly named: readonly AnyClause[];
}

export interface ComparisonOptions {
  readonly now: number;
  readonly budget: Budget;
  /** Whether identities are resolved in the sets: another principal may stand for some of them. */
  readonly resolves: boolean;
  /** Effects of the second side of which examples are looked for; default: both. */
  readonly wanted?: readonly Decision['effect'][];
}

const BOTH = ['allow', 'deny'] as const;

export const TOO_LARGE = 'too many different requests to look at';

/** Looks for a request of either kind. */
export function* compare(
  action: Action,
  situation: Situation,
  sides: readonly [before: Side, after: Side],
  options: ComparisonOptions,
): Work<Comparison> {
  const form = formOf(action, situation, sides, {});
  const search = new Search(action, situation, form, sides, options);
  for (const example of explore(form.fields, form.unknowns, form.repeated, options.budget)) {
    if (example === undefined) yield;
    else if (search.judge(example)) break;
  }
  if (options.budget.left < 0) search.unclear.add(TOO_LARGE);
  return search.result();
}

class Search {
  readonly unclear: Set<string>;
  private allowed: Difference | undefined;
  private denied: Difference | undefined;
  private readonly named = new Map<string, AnyClause>();
  /** Kinds of which an example is as the patterns say, and those of which one is not. */
  private readonly clear = new Set<string>();
  private readonly doubtful = new Set<string>();

  constructor(
    private readonly action: Action,
    private readonly situation: Situation,
    private readonly form: Form,
    private readonly sides: readonly [Side, Side],
    private readonly options: ComparisonOptions,
  ) {
    this.unclear = new Set(form.unclear);
  }

  /** Every effect that was looked for has been found. */
  private get isComplete(): boolean {
    const found = { allow: this.allowed, deny: this.denied };
    return (this.options.wanted ?? BOTH).every((effect) => found[effect] !== undefined);
  }

  result(): Comparison {
    const { allowed, denied } = this;
    if (this.isComplete) this.unclear.clear();
    else if ([...this.doubtful].some((kind) => !this.clear.has(kind))) {
      this.unclear.add('variables whose values are part of other text');
    }
    return {
      ...(allowed && { allowed }),
      ...(denied && { denied }),
      unclear: [...this.unclear],
      named: [...this.named.values()],
    };
  }

  /** True where there is no more to find. */
  judge(example: Example): boolean {
    const request = requestOf(this.action, this.situation, this.form, example);
    if (!this.isOurs(request)) {
      if (!example.fresh) this.collide(request);
      return false;
    }
    const found = this.take(request);
    if (example.fresh) this.clear.add(example.kind);
    else if (!found && !isAsExplored(this.form, example)) this.doubtful.add(example.kind);
    if (!found) this.judgeConditions(request);
    return this.isComplete;
  }

  private isOurs({ identity }: SampleRequest): boolean {
    if (!this.options.resolves) return true;
    return this.sides.every(({ set, found }) => set.resolve(identity)?.principal === found?.principal);
  }

  /** Who stands for the identity may have a match by its very name: others of its kind may be ours. */
  private collide({ identity }: SampleRequest): void {
    for (const { set } of this.sides) {
      const principal = set.resolve(identity)?.principal;
      if (principal === undefined) continue;
      for (const clause of namesIn(set).get(principal) ?? []) {
        const facts = [...clause.tokens].map(([criterion, [text]]) => factOf(identity, criterion) === text);
        if (facts.every(Boolean)) this.named.set(JSON.stringify([...clause.tokens]), clause);
      }
    }
  }

  /** True where the answers differ. */
  private take(request: SampleRequest): boolean {
    const [before, after] = this.sides.map((side) => answer(side, request, this.options.now)) as [Decision, Decision];
    if (before.effect === after.effect) return false;
    if (after.effect === 'allow') this.allowed ??= { request, before, after };
    else this.denied ??= { request, before, after };
    return true;
  }

  /** Whether the answers can differ by conditions that the texts of the request do not decide. */
  private judgeConditions(request: SampleRequest): void {
    const { form, options } = this;
    const open = this.sides.map(({ set, found }) => {
      const context = contextFor(request, found, options.now);
      return openStatements(found?.policies.statements ?? [], arnOf(set, request), context, form.opaque);
    });
    if (open.flat().every(({ atoms }) => atoms.length === 0)) return;
    const answers = possibleAnswers(open);
    const wanted = (
      answers ?? [
        [false, true],
        [true, false],
      ]
    ).filter(([before, after]) => before !== after);
    const missing = wanted.filter(([before]) => (before === true ? this.denied : this.allowed) === undefined);
    if (missing.length === 0) return;
    const conditions = open.flat().flatMap((statement) => statement.conditions);
    for (const facts of factsFor(conditions, contextFor(request, this.sides[0].found, options.now))) {
      const asked = withFacts(request, facts);
      if (this.isOurs(asked)) this.take(asked);
    }
    if (missing.some(([before]) => (before === true ? this.denied : this.allowed) === undefined)) {
      const names = new Set(conditions.map(({ operator, key }) => `${operator} on ${key.name}`));
      this.unclear.add(`conditions: ${[...names].join(', ')}`);
    }
  }
}

const names = new WeakMap<PolicySet, ReadonlyMap<Principal, readonly AnyClause[]>>();

/** The matches without wildcards. */
function namesIn(set: PolicySet): ReadonlyMap<Principal, readonly AnyClause[]> {
  const known = names.get(set);
  if (known !== undefined) return known;
  const exact = set.principals.clauses.filter(({ tokens }) => [...tokens.values()].every(isExact));
  const found = new Map<Principal, AnyClause[]>();
  for (const clause of exact) found.set(clause.principal, [...(found.get(clause.principal) ?? []), clause]);
  names.set(set, found);
  return found;
}

function isExact(tokens: readonly Token[]): boolean {
  return tokens.every((token) => typeof token === 'string');
}
