/** Writes what docs/ and the JSON Schemas take from tables in the code: `npm run docs`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fillIn } from './markdown.js';
import { reasonsMarkdown } from './reasons.js';
import { SCHEMAS } from './schemas.js';
import { settingsTable } from './settings.js';
import { REFERENCE_TABLES } from './telemetry.js';

writeFileSync('docs/reasons.md', reasonsMarkdown());

for (const [file, schema] of Object.entries(SCHEMAS)) writeFileSync(file, schema());

fillInto('docs/configuration.md', { settings: settingsTable });
fillInto('docs/telemetry.md', REFERENCE_TABLES);

function fillInto(page: string, tables: Readonly<Record<string, () => string>>): void {
  let text = readFileSync(page, 'utf8');
  for (const [name, table] of Object.entries(tables)) text = fillIn(text, name, table());
  writeFileSync(page, text);
}
