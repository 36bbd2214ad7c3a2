/** What is doubtful about statements beside each other: those that change nothing, and patterns that are wider than they look. */
import { meansTheSame } from './redundancy.js';
import { finish } from '../work.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';
import { Reporter, type Problem } from '../reading/problems.js';

/** The warnings, beside those that `policy check` has. */
export function lintStrictly(set: PolicySet): readonly Problem[] {
  const problems: Problem[] = [];
  const holders = new Map<string, CompiledPrincipal[]>();
  for (const principal of set.principals.all) {
    const found = set.compiledFor(principal);
    for (const name of principal.policies) if (found) holders.set(name, [...(holders.get(name) ?? []), found]);
  }
  for (const [name, { statements }] of set.documents) {
    const report = new Reporter(problems, `${name}.json`);
    for (const statement of statements) {
      const at = report.at('Statement').at(statement.index).named(statement.id);
      for (const source of openOnBothSides(statement)) {
        at.warn(`${source} has a wildcard on both ends of the name: it takes in any name with that text in it`);
      }
      const neighbours = statements.filter((other) => other !== statement);
      if (neighbours.length === 0) continue;
      if (isShadowed(set, statement, holders.get(name) ?? [])) {
        at.warn('the statement changes nothing for anybody who has it: others decide the same without it');
      }
    }
  }
  return problems;
}

/** Resources whose name begins and ends with a wildcard, and is not all wildcard. */
function openOnBothSides({ resources }: Statement): readonly string[] {
  return resources
    .filter(({ source }) => /:(?:client|topic|topicfilter)\/\*[^*]+\*$/.test(source))
    .map(({ source }) => source);
}

/** Principals looked at for one statement: of one that more have nothing is said. */
const MAX_HOLDERS = 20;

/** True where everybody who has the statement may do the same without it. */
function isShadowed(set: PolicySet, statement: Statement, holders: readonly CompiledPrincipal[]): boolean {
  if (holders.length === 0 || holders.length > MAX_HOLDERS) return false;
  return holders.every((found) => {
    const all = found.policies.statements;
    const others = all.filter((other) => other !== statement);
    return finish(meansTheSame(set, found, statement.actions, all, others));
  });
}
