/** What is doubtful about statements beside each other: those that change nothing, and patterns that are wider than they look. */
import { meansTheSame } from './redundancy.js';
import { isWide, isWithin } from './within.js';
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
      for (const [source, within] of broaderThan(statement, neighbours)) {
        at.warn(
          `${source} is broader than its neighbours: it takes in ${within.join(' and ')}, each allowed on its own`,
        );
      }
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

/** Neighbours that are named. */
const NAMED = 2;

/**
 * Topics of an Allow without conditions that take in those of two or more other Allows, with some of these: publishing,
 * subscribing and receiving mostly go together.
 */
function* broaderThan(
  { effect, resources, exceptResources, conditions }: Statement,
  neighbours: readonly Statement[],
): Generator<readonly [source: string, within: readonly string[]]> {
  if (effect !== 'Allow' || exceptResources || conditions.length > 0) return;
  const others = neighbours.filter((other) => other.effect === 'Allow' && !other.exceptResources);
  for (const { source } of resources) {
    const topic = topicOf(source);
    if (topic === undefined || !isWide(source)) continue;
    const within = others.flatMap((other) => {
      const found = other.resources.find((resource) => {
        const own = topicOf(resource.source);
        return own !== undefined && own !== topic && isWithin(own, topic);
      });
      return found === undefined ? [] : [found.source];
    });
    const named = [...new Set(within)];
    if (named.length >= NAMED) yield [source, named.slice(0, NAMED)];
  }
}

/** A topic or filter without its kind. */
function topicOf(source: string): string | undefined {
  return /:topic(?:filter)?\/(.*)$/.exec(source)?.[1];
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
