import { describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { fillIn } from '../../scripts/docs/markdown.js';
import { REFERENCE_TABLES } from '../../scripts/docs/telemetry.js';
import { FILTER_PARAMETERS } from '../../src/observing/filter.js';

const page = readFileSync('docs/telemetry.md', 'utf8');

describe('docs/telemetry.md', () => {
  it.each(Object.entries(REFERENCE_TABLES))(
    'has the table of %s as the code has it (else run `npm run docs`)',
    (name, table) => {
      expect(fillIn(page, name, table())).toBe(page);
    },
  );

  it('names every filter of tightbeam tail', () => {
    for (const name of Object.keys(FILTER_PARAMETERS)) expect(page).toContain(`--${name}`);
  });
});
