import { z } from 'zod';
import { ConfigSchema } from '../../src/config/schema.js';
import { CredentialsSchema } from '../../src/identity/credentials.js';

/** JSON Schemas for editors, by file: made from what reads the files, so that both have the same rules. */
export const SCHEMAS: Readonly<Record<string, () => string>> = {
  'policies/schema/config.schema.json': () => jsonSchema(ConfigSchema, 'Configuration of Tightbeam'),
  'policies/schema/credentials.schema.json': () =>
    jsonSchema(CredentialsSchema, 'Credentials: secrets of HTTP callers and of MQTT clients'),
};

/** As it is read, and so with every default; what has one need not be written. */
function jsonSchema(schema: z.ZodType, title: string): string {
  const { $schema, ...rest } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema: part }) => {
      const { properties = {}, required } = part;
      if (required === undefined) return;
      part.required = required.filter((name) => !canBeLeftOut(properties[name]));
      if (part.required.length === 0) delete part.required;
    },
  });
  return `${JSON.stringify({ $schema, title, ...rest }, null, 2)}\n`;
}

function canBeLeftOut(part: z.core.JSONSchema._JSONSchema | undefined): boolean {
  if (part === undefined || typeof part === 'boolean') return false;
  return (
    part.default !== undefined ||
    (part.type === 'object' && part.properties !== undefined && part.required === undefined)
  );
}
