/**
 * Conditions that texts of a request do not decide: addresses, times, certificates and the like. Whether one holds is left
 * open, and where the answer depends on it, facts are looked for that make it so.
 */
import type { RequestContext } from '../conditions/context.js';
import { parsePattern, PatternError, valueOf } from '../matching/pattern.js';
import { matchResource } from '../deciding/compile.js';
import { FALSE, TRUE, UNKNOWN, every, type Tri } from '../matching/tri.js';
import type { Condition } from '../conditions/condition.js';
import type { Statement } from '../reading/document.js';

/** A statement of which all is known but whether some conditions hold. */
interface Open {
  readonly denies: boolean;
  readonly atoms: readonly string[];
  readonly conditions: readonly Condition[];
}

/** Statements that apply to a request if their open conditions hold. */
export function openStatements(
  statements: readonly Statement[],
  resource: string,
  context: RequestContext,
  opaque: ReadonlyMap<Statement, readonly Condition[]>,
): readonly Open[] {
  return statements.flatMap((statement) => {
    const conditions = opaque.get(statement);
    if (conditions === undefined) return [];
    const denies = statement.effect === 'Deny';
    const known = statement.conditions.filter((condition) => !conditions.includes(condition));
    const applies = every(
      [matchResource(statement, resource, context), every(known, ({ test }) => test(context))],
      same,
    );
    if (applies === FALSE || (applies === UNKNOWN && !denies)) return [];
    return [{ denies, atoms: conditions.map(nameOf), conditions }];
  });
}

const same = (value: Tri): Tri => value;

/** Equal for conditions that hold for the same requests. */
function nameOf({ operator, key, values }: Condition): string {
  return JSON.stringify([operator, key.name.toLowerCase(), values]);
}

function isAllowed(statements: readonly Open[], holds: ReadonlyMap<string, Tri>): boolean {
  const all = (atoms: readonly string[]): Tri => every(atoms, (atom) => holds.get(atom) ?? TRUE);
  return (
    statements.some(({ denies, atoms }) => !denies && all(atoms) === TRUE) &&
    !statements.some(({ denies, atoms }) => denies && all(atoms) !== FALSE)
  );
}

/** More open conditions than this about one request are not tried in every way. */
const MAX_ATOMS = 6;

/** What the answers can be, before and after, over all that the open conditions can be; nothing where those are too many. */
export function possibleAnswers(sides: readonly (readonly Open[])[]): readonly (readonly boolean[])[] | undefined {
  const atoms = [...new Set(sides.flat().flatMap((open) => open.atoms))];
  if (atoms.length > MAX_ATOMS) return undefined;
  const found = new Map<string, readonly boolean[]>();
  for (let number = 0; number < 3 ** atoms.length; number++) {
    const holds = new Map(atoms.map((atom, index) => [atom, (Math.floor(number / 3 ** index) % 3) as Tri]));
    const answers = sides.map((side) => isAllowed(side, holds));
    found.set(answers.join(), answers);
  }
  return [...found.values()];
}

/** Combinations of facts that are tried to make open conditions hold or not. */
const MAX_FACTS = 256;

type Facts = ReadonlyMap<string, string | readonly string[]>;

/** Facts by which the conditions can hold or fail, in every combination as far as there are not too many. */
export function* factsFor(conditions: readonly Condition[], context: RequestContext): Generator<Facts> {
  const candidates = new Map<string, Map<string, string | readonly string[]>>();
  for (const condition of conditions) {
    const key = condition.key.name.toLowerCase();
    // Of these the identity decides, whose facts are one with the principal.
    if (/^(?:iot:clientid|aws:username|iot:topic|iot:connection\..*)$/.test(key)) continue;
    const values = candidates.get(key) ?? new Map<string, string | readonly string[]>();
    for (const value of valuesFor(condition, context)) values.set(JSON.stringify(value), value);
    candidates.set(key, values);
  }
  let combinations: Facts[] = [new Map()];
  for (const [key, values] of candidates) {
    combinations = combinations.flatMap((facts) => [
      facts,
      ...[...values.values()].map((value) => new Map([...facts, [key, value]])),
    ]);
    if (combinations.length > MAX_FACTS) break;
  }
  yield* combinations.slice(0, MAX_FACTS);
}

/** Values about which the condition says yes or no, one or more of each. */
function valuesFor(
  { operator, key, values, variables }: Condition,
  context: RequestContext,
): readonly (string | string[])[] {
  if (/Bool/.test(operator)) return ['true', 'false'];
  if (key.name.toLowerCase() === 'iot:connectattributes') {
    return [[], ['PersistentConnect'], ['LastWill'], ['PersistentConnect', 'LastWill']];
  }
  if (/IpAddress/.test(operator))
    return [...values.map((value) => value.replace(/\/.*/, '')), '192.0.2.1', '2001:db8::1'];
  if (/Numeric|Date/.test(operator)) return values.flatMap(around);
  if (operator === 'Null') return ['x'];
  const texts = values.map((value) => textOf(value, /Like|Arn/.test(operator), variables, context));
  return [...texts, 'x', ...(/ForA/.test(operator) ? [texts] : [])];
}

/** The value, and one on either side of it, as a number or a date. */
function around(value: string): readonly string[] {
  const number = Number(value);
  if (value !== '' && Number.isFinite(number)) return [value, String(number - 1), String(number + 1)];
  const time = Date.parse(value);
  if (Number.isNaN(time)) return [value];
  return [value, new Date(time - 1000).toISOString(), new Date(time + 1000).toISOString()];
}

/** A text that the value matches. */
function textOf(value: string, wildcards: boolean, variables: boolean, context: RequestContext): string {
  try {
    const { tokens } = parsePattern(value, { wildcards, variables });
    const text = (token: (typeof tokens)[number]): string =>
      typeof token === 'string' ? token : typeof token === 'object' ? (valueOf(token, context) ?? '') : 'x';
    return tokens.map(text).join('');
  } catch (error) {
    if (error instanceof PatternError) return value;
    throw error;
  }
}
