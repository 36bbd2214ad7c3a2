import { z } from 'zod';
import { nearest } from '../nearest.js';
import { ConfigSchema } from './schema.js';

/** A mistake in the settings: where (the path of a setting), and the rule that it breaks. */
export interface Mistake {
  readonly path: readonly PropertyKey[];
  readonly rule: string;
}

/** What the schema found in the settings, in words of our own and without a value: settings may be secrets. */
export function mistakesOf(issues: readonly z.core.$ZodIssue[], settings: unknown): readonly Mistake[] {
  return issues.flatMap((issue): readonly Mistake[] => {
    const { path } = issue;
    if (issue.code !== 'unrecognized_keys')
      return [{ path, rule: valueAt(settings, path) === undefined ? missing(issue) : ruleOf(issue) }];
    return issue.keys.map((key) => ({ path: [...path, key], rule: `there is no such setting${meant(path, key)}` }));
  });
}

const KINDS: Readonly<Record<string, string>> = {
  object: 'a group of settings',
  record: 'a group of settings',
  array: 'a list',
  string: 'a text',
};

/** Undefined where there is nothing. */
export function valueAt(settings: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, name) => (at as Record<PropertyKey, unknown> | null | undefined)?.[name], settings);
}

/** A rule between settings may name one that is left out: then it is the default that breaks it. */
function missing(issue: z.core.$ZodIssue): string {
  return issue.code === 'invalid_type' ? 'must be given' : ruleOf(issue);
}

function ruleOf(issue: z.core.$ZodIssue): string {
  const { code, message } = issue;
  if (code === 'invalid_type') return own(message, `must be ${KINDS[issue.expected] ?? issue.expected}`);
  if (code === 'invalid_value') return own(message, `must be ${issue.values.map(String).join(' or ')}`);
  if (code === 'too_small')
    return own(message, issue.origin === 'array' ? 'must have at least one entry' : 'must not be empty');
  if (code === 'invalid_key') return issue.issues.map((inner) => inner.message).join(', ');
  return message;
}

/** The rule that the schema gives, else one for the words of the library. */
function own(message: string, otherwise: string): string {
  return /^(Invalid|Too|Unrecognized)/.test(message) ? otherwise : message;
}

/** As much of a JSON Schema as tells which settings there are. */
interface Group {
  readonly properties?: Readonly<Record<string, Group>>;
}

function meant(path: readonly PropertyKey[], key: string): string {
  const all = z.toJSONSchema(ConfigSchema, { io: 'input', unrepresentable: 'any' }) as Group;
  const group = path.reduce<Group | undefined>((at, name) => at?.properties?.[String(name)], all);
  const near = nearest(key, Object.keys(group?.properties ?? {}));
  if (near !== undefined) return `; did you mean ${near}?`;
  const elsewhere = settingsNamed(key, all);
  return elsewhere.length === 0 ? '' : `; there is ${elsewhere.join(', ')}`;
}

function settingsNamed(key: string, { properties = {} }: Group, above = ''): readonly string[] {
  return Object.entries(properties).flatMap(([name, group]) => [
    ...(name === key ? [above + name] : []),
    ...settingsNamed(key, group, `${above}${name}.`),
  ]);
}
