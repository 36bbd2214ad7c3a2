import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { ENVIRONMENT } from '../../src/config/environment.js';
import { SCHEMAS } from '../../scripts/docs/schemas.js';
import { settingsTable } from '../../scripts/docs/settings.js';
import { ConfigSchema } from '../../src/config/schema.js';
import { fillIn } from '../../scripts/docs/markdown.js';

const page = readFileSync('docs/configuration.md', 'utf8');

describe('docs/configuration.md', () => {
  it('has every setting as the schema has it (else run `npm run docs`)', () => {
    expect(fillIn(page, 'settings', settingsTable())).toBe(page);
  });

  it('has every environment variable beside its setting', () => {
    for (const { name } of ENVIRONMENT) expect(page).toContain(`\`${name}\``);
  });

  it('shows an example that is valid', () => {
    const example = /```yaml\n([^]*?)```/.exec(page)?.[1] ?? '';
    const config = ConfigSchema.parse(parse(example));
    expect(config.limits.rates.perReceiver).toEqual({ perSecond: 10, burst: 20 });
  });
});

describe('the JSON Schemas for editors', () => {
  it.each(Object.entries(SCHEMAS))(
    '%s has the rules of what reads the file (else run `npm run docs`)',
    (file, schema) => {
      expect(readFileSync(file, 'utf8')).toBe(schema());
    },
  );

  it.each(Object.keys(SCHEMAS))('%s needs nothing of an empty file', (file) => {
    expect(JSON.parse(readFileSync(file, 'utf8'))).not.toHaveProperty('required');
  });
});
