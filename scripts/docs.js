/** Writes what docs/ takes from tables in the code. Run by `npm run docs`, after the build. */
import { readFileSync, writeFileSync } from 'node:fs';
import { settingsTable } from '../dist/config/reference.js';
import { fillIn } from '../dist/markdown.js';
import { reasonsMarkdown } from '../dist/telemetry/reason-text.js';
import { REFERENCE_TABLES } from '../dist/telemetry/reference.js';

writeFileSync('docs/reasons.md', reasonsMarkdown());

fillInto('docs/configuration.md', { settings: settingsTable });
fillInto('docs/telemetry.md', REFERENCE_TABLES);

function fillInto(page, tables) {
  let text = readFileSync(page, 'utf8');
  for (const [name, table] of Object.entries(tables)) text = fillIn(text, name, table());
  writeFileSync(page, text);
}
