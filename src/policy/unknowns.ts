import type { RequestContext } from './context.js';
import type { Statement } from './document.js';
import { valueOf } from './pattern.js';
import { UNKNOWN } from './tri.js';

/** Why the statement cannot be evaluated: variables of its resources without a value, and conditions. */
export function unknownsOf(statement: Statement, context: RequestContext): readonly string[] {
  const variables = statement.resources
    .flatMap((resource) => resource.variables)
    .filter((variable) => valueOf(variable, context) === undefined)
    .map(({ key }) => `\${${key.name}} has no value`);
  const conditions = statement.conditions
    .filter((condition) => condition.test(context) === UNKNOWN)
    .map(({ operator, key }) => `${operator} on ${key.name} cannot be evaluated`);
  return [...new Set([...variables, ...conditions])];
}
