import { PatternError } from '../matching/pattern.js';
import { FALSE, TRUE, UNKNOWN } from '../matching/tri.js';
import type { Operator } from './operators.js';

/** How the fact stands to the value of the policy. */
type Comparison = (actual: number, expected: number) => boolean;

const COMPARISONS = {
  Equals: (actual, expected) => actual === expected,
  LessThan: (actual, expected) => actual < expected,
  LessThanEquals: (actual, expected) => actual <= expected,
  GreaterThan: (actual, expected) => actual > expected,
  GreaterThanEquals: (actual, expected) => actual >= expected,
} as const satisfies Record<string, Comparison>;

/** Numbers and dates differ in how a text becomes a number, and in nothing else. Neither takes variables (IAM). */
function ordered(read: (text: string) => number, expectation: string, compare: Comparison): Operator {
  return {
    compile(value) {
      const expected = read(value);
      if (Number.isNaN(expected)) throw new PatternError(expectation);
      return (actual) => {
        const number = read(actual);
        if (Number.isNaN(number)) return UNKNOWN;
        return compare(number, expected) ? TRUE : FALSE;
      };
    },
  };
}

/** `Equals`, `LessThan`, ... each behind the prefix `Numeric` or `Date`. */
export function orderedOperators(prefix: 'Numeric' | 'Date'): readonly [name: string, operator: Operator][] {
  const [read, expectation] =
    prefix === 'Numeric'
      ? ([readNumber, 'a number'] as const)
      : ([readDate, 'an ISO 8601 date or seconds since the epoch'] as const);
  return Object.entries(COMPARISONS).map(([name, compare]) => [
    `${prefix}${name}`,
    ordered(read, expectation, compare),
  ]);
}

function readNumber(text: string): number {
  return /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)$/.test(text) ? Number(text) : NaN;
}

/** W3C's profile of ISO 8601: a year, a month, a day, or a time with its zone. Without a time it is midnight UTC. */
const DATE = /^(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d(?:\.\d+)?))?(?:Z|[+-]\d\d:\d\d))?)?)?$/;

/** Milliseconds since the epoch. */
function readDate(text: string): number {
  const [, year, month = '01', day = '01'] = DATE.exec(text) ?? [];
  if (year !== undefined) return Number(day) > daysOf(Number(year), Number(month)) ? NaN : Date.parse(text);
  const seconds = readNumber(text);
  return seconds * 1000;
}

/** Days of the month: Date.parse takes 30 February for 2 March. */
function daysOf(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate();
}
