/** When two statements, or the policies of two principals, are written to the same effect. */
import type { CompiledPolicies } from '../deciding/compile.js';
import type { CompiledPrincipal } from '../policy-set.js';
import type { Statement } from '../reading/document.js';

const statements = new WeakMap<Statement, string>();
const policies = new WeakMap<CompiledPolicies, ReadonlySet<string>>();

/** The same text for statements that mean the same, whatever they are called. */
export function meaningOf(statement: Statement): string {
  const known = statements.get(statement);
  if (known !== undefined) return known;
  const { effect, actions, resources, exceptResources, conditions } = statement;
  const meaning = JSON.stringify([
    effect,
    [...actions].sort(),
    resources.map(({ source, variables }) => [source, variables.length > 0]),
    exceptResources,
    conditions.map(({ operator, key, values, variables }) => [operator, key.name, values, variables]),
  ]);
  statements.set(statement, meaning);
  return meaning;
}

/** The meanings of all statements. */
export function meaningsOf(found: CompiledPrincipal | undefined): ReadonlySet<string> {
  if (found === undefined) return NONE;
  const known = policies.get(found.policies) ?? new Set(found.policies.statements.map(meaningOf));
  policies.set(found.policies, known);
  return known;
}

const NONE: ReadonlySet<string> = new Set();

/** Whether variables have the same values for both: they have the same name and the same thing. */
export function isSameWho(one: CompiledPrincipal | undefined, other: CompiledPrincipal | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.principal.name === other.principal.name && thingText(one) === thingText(other);
}

function thingText({ principal: { thing } }: CompiledPrincipal): string {
  return thing === undefined ? '' : JSON.stringify({ ...thing, attributes: [...thing.attributes].sort() });
}

/** True where the order and the names of the statements is all in which the two differ. */
export function isSame(one: CompiledPrincipal | undefined, other: CompiledPrincipal | undefined): boolean {
  if (one?.policies === other?.policies && isSameWho(one, other)) return true;
  const first = meaningsOf(one);
  const second = meaningsOf(other);
  return isSameWho(one, other) && first.size === second.size && [...first].every((meaning) => second.has(meaning));
}
