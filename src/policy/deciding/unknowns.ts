import type { RequestContext } from '../conditions/context.js';
import type { Statement } from '../reading/document.js';
import { valueOf } from '../matching/pattern.js';
import { UNKNOWN } from '../matching/tri.js';

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
