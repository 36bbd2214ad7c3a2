import { z } from 'zod';
import { ENVIRONMENT } from '../../src/config/environment.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { markdownTable } from './markdown.js';

/** As much of a JSON Schema as the configuration uses. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly minimum?: number;
  readonly exclusiveMinimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
}

/** The generated part of docs/configuration.md: every setting, from the schema that checks it. */
export function settingsTable(): string {
  const schema = z.toJSONSchema(ConfigSchema, { io: 'output', unrepresentable: 'any' }) as Schema;
  return markdownTable([['Setting', 'Values', 'Default', 'Meaning'], ...rowsOf(schema, [], true)]);
}

/** @param given false inside a section that may be left out, where what has no default must be given */
function rowsOf({ properties = {}, required = [] }: Schema, above: readonly string[], given: boolean): string[][] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const path = [...above, name];
    const isGiven = required.includes(name);
    if (schema.properties !== undefined) {
      const row = [code(path.join('.')), 'section', '', schema.description ?? ''];
      // A section without a word of its own is known by what it holds.
      return [...(schema.description === undefined ? [] : [row]), ...rowsOf(schema, path, isGiven)];
    }
    return [[code(path.join('.')), valuesOf(schema), defaultOf(schema, isGiven && !given), meaningOf(schema, path)]];
  });
}

function valuesOf(schema: Schema): string {
  const { type = '', minimum = schema.exclusiveMinimum, maximum = Infinity } = schema;
  if (schema.enum !== undefined) return schema.enum.map((value) => code(String(value))).join(', ');
  if (schema.items !== undefined) return `list of ${valuesOf(schema.items)}`;
  if (type !== 'integer' && type !== 'number') return type;
  const above = schema.exclusiveMinimum === undefined ? 'at least' : 'more than';
  return maximum > 1e9 ? `${above} ${String(minimum)}` : `${String(minimum)} to ${maximum.toLocaleString('en')}`;
}

function defaultOf(schema: Schema, isMandatory: boolean): string {
  if (schema.default === undefined) return isMandatory ? '(must be given)' : '';
  return code(JSON.stringify(schema.default).replaceAll('"', ''));
}

function meaningOf({ description = '' }: Schema, path: readonly string[]): string {
  const variables = ENVIRONMENT.filter(({ setting }) => setting.join('.') === path.join('.'));
  return [description, variables.map(({ name }) => code(name)).join(', ')].filter((part) => part !== '').join('; ');
}

function code(text: string): string {
  return `\`${text}\``;
}
