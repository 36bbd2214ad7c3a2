import { readFile } from 'node:fs/promises';
import { OPERATORS } from '../../src/policy/conditions/condition.js';
import { ACTION_NAMES } from '../../src/policy/actions.js';
import { CRITERIA } from '../../src/policy/principals/thing.js';

interface Schema {
  $defs: {
    action: { anyOf: [{ enum: string[] }] };
    condition: { patternProperties: Record<string, unknown> };
    match: { properties: Record<string, unknown> };
  };
}

async function schema(name: string): Promise<Schema> {
  return JSON.parse(await readFile(new URL(`../../policies/schema/${name}`, import.meta.url), 'utf8')) as Schema;
}

test('the schema of policies knows every action', async () => {
  const { $defs } = await schema('policy.schema.json');
  expect($defs.action.anyOf[0].enum).toEqual([...ACTION_NAMES, 'iot:*', 'tightbeam:*', '*']);
});

test('the schema of policies knows every condition operator and no other', async () => {
  const { $defs } = await schema('policy.schema.json');
  const [pattern = ''] = Object.keys($defs.condition.patternProperties);
  const accepted = OPERATORS.filter((operator) => new RegExp(pattern, 'u').test(operator));
  expect(accepted).toEqual(OPERATORS);
  expect(pattern.match(/[A-Za-z]+/g)).toHaveLength(
    OPERATORS.length + 'ForAnyValue ForAllValues IfExists'.split(' ').length,
  );
});

test('the schema of principals knows every criterion', async () => {
  const { $defs } = await schema('principals.schema.json');
  expect(Object.keys($defs.match.properties)).toEqual(CRITERIA);
});
