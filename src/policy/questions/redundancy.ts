/** Whether anything would change for a principal if some of its statements were others. */
import type { Action } from '../authorizer.js';
import { CompiledPolicies } from '../deciding/compile.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';
import type { Work } from '../work.js';
import { compare } from './comparing.js';
import { interestsOf } from './interests.js';
import { situationsOf, type AnyClause } from './situations.js';

/** Steps and positions for one action. */
const BUDGET = 100_000;

/** True where it is proved that the principal may do the same with either list of statements. */
export function* meansTheSame(
  set: PolicySet,
  { principal }: CompiledPrincipal,
  actions: Iterable<Action>,
  before: readonly Statement[],
  after: readonly Statement[],
): Work<boolean> {
  const side = (statements: readonly Statement[]) => ({
    set,
    found: { principal, policies: new CompiledPolicies([{ name: principal.name, statements }], set.arnPrefix) },
  });
  const sides = [side(before), side(after)] as const;
  const things = principal.thing === undefined ? [] : [principal.thing];
  const all: readonly AnyClause[] = [...set.principals.clauses, ...set.principals.anonymous.clauses];
  const rivals = all.filter(({ tokens }) =>
    [...tokens.values()].some((pattern) => pattern.some((token) => typeof token !== 'string')),
  );
  for (const action of actions) {
    const about = [...before, ...after].filter((statement) => statement.actions.has(action));
    for (const clause of all.filter((one) => one.principal === principal)) {
      const budget = { left: BUDGET };
      for (const situation of situationsOf([clause], things, rivals, [], interestsOf(about, action))) {
        const found = yield* compare(action, situation, sides, { now: Date.now(), budget, resolves: true });
        if (found.allowed ?? found.denied) return false;
        if (found.unclear.length > 0 || found.named.length > 0) return false;
      }
    }
  }
  return true;
}
