import type { RequestContext } from './context.js';
import { FALSE, TRUE, UNKNOWN, not, every, some, type Tri } from '../matching/tri.js';
import type { ContextKey } from './variables.js';
import { ipAddress } from './ip-address.js';
import type { Matcher, Operator } from './operators.js';
import { orderedOperators } from './ordered.js';
import { arnLike, binaryEquals, bool, stringEquals, stringEqualsIgnoreCase, stringLike } from './text.js';

/** One operator and one key of a Condition, with all its values. */
export interface Condition {
  readonly operator: string;
  readonly key: ContextKey;
  readonly values: readonly string[];
  /** Whether the values have policy variables: the version of the policy says so. */
  readonly variables: boolean;
  readonly test: (context: RequestContext) => Tri;
}

const POSITIVE: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['StringEquals', stringEquals],
  ['StringEqualsIgnoreCase', stringEqualsIgnoreCase],
  ['StringLike', stringLike],
  ...orderedOperators('Numeric'),
  ...orderedOperators('Date'),
  ['Bool', bool],
  ['BinaryEquals', binaryEquals],
  ['IpAddress', ipAddress],
  ['ArnEquals', arnLike],
  ['ArnLike', arnLike],
]);

/** Each is the negation of its positive form over all values: none of them may match. */
const NEGATED: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ['StringNotEquals', stringEquals],
  ['StringNotEqualsIgnoreCase', stringEqualsIgnoreCase],
  ['StringNotLike', stringLike],
  ...[...POSITIVE]
    .filter(([name]) => name === 'NumericEquals' || name === 'DateEquals')
    .map(([name, operator]): [string, Operator] => [name.replace('Equals', 'NotEquals'), operator]),
  ['NotIpAddress', ipAddress],
  ['ArnNotEquals', arnLike],
  ['ArnNotLike', arnLike],
]);

/** A condition operator as written, taken apart: `ForAnyValue:StringNotEqualsIfExists`. */
export interface OperatorName {
  readonly set: 'ForAnyValue' | 'ForAllValues' | undefined;
  readonly operator: Operator | 'Null';
  readonly negated: boolean;
  readonly ifExists: boolean;
}

/** Every operator there is, without set prefix and IfExists suffix. */
export const OPERATORS: readonly string[] = [...POSITIVE.keys(), ...NEGATED.keys(), 'Null'];

/** Takes an operator apart; nothing where there is none of that name (names are matched with their case). */
export function parseOperator(text: string): OperatorName | undefined {
  if (text === 'Null') return { set: undefined, operator: 'Null', negated: false, ifExists: false };
  const [, set, name = '', ifExists] = /^(?:(ForAnyValue|ForAllValues):)?([A-Za-z]+?)(IfExists)?$/.exec(text) ?? [];
  const operator = POSITIVE.get(name) ?? NEGATED.get(name);
  if (operator === undefined) return undefined;
  return {
    set: set as OperatorName['set'],
    operator,
    negated: NEGATED.has(name),
    ifExists: ifExists !== undefined,
  };
}

/**
 * Compiles a condition. Several values are alternatives; negated, none of them may match.
 * @throws PatternError where a value is not of the operator's type.
 */
export function compileCondition(
  name: string,
  parsed: OperatorName,
  key: ContextKey,
  values: readonly string[],
  variables: boolean,
): Condition {
  if (parsed.operator === 'Null') {
    const absent = values.map((value) => value === 'true');
    const test = (context: RequestContext): Tri => {
      const value = key.resolve(context);
      if (value === null) return UNKNOWN;
      return absent.includes(value === undefined || (typeof value !== 'string' && value.length === 0)) ? TRUE : FALSE;
    };
    return { operator: name, key, values, variables, test };
  }
  const { operator } = parsed;
  const matchers = values.map((value) => operator.compile(value, variables));
  return { operator: name, key, values, variables, test: comparison(parsed, key, matchers) };
}

/** IAM, "Multivalued context keys" for the set operators, "IfExists" and "Condition operators" for absent keys. */
function comparison(name: OperatorName, key: ContextKey, matchers: readonly Matcher[]): Condition['test'] {
  const { set, negated, ifExists } = name;
  const absent: Tri = ifExists || set === 'ForAllValues' || (set === undefined && negated) ? TRUE : FALSE;
  const all = set === 'ForAllValues' || (set === undefined && negated);
  const [first] = matchers;
  const matches: Matcher =
    matchers.length === 1 && first !== undefined
      ? first
      : (actual, context) => some(matchers, (matcher) => matcher(actual, context));
  const one: Matcher = negated ? (actual, context) => not(matches(actual, context)) : matches;
  return (context) => {
    const value = key.resolve(context);
    // "A null data set, such as an empty string" (IAM, "Multivalued context keys"): of no values, all match.
    if (value === '' && set === 'ForAllValues') return TRUE;
    if (typeof value === 'string') return one(value, context);
    if (value === null) return UNKNOWN;
    if (value === undefined || value.length === 0) return absent;
    // Without a set operator a list counts as one fact: it matches where one of its values does.
    return (all ? every : some)(value, (actual) => one(actual, context));
  };
}
