/** Writes what docs/ takes from tables in the code. Run by `npm run docs`, after the build. */
import { readFileSync, writeFileSync } from 'node:fs';
import { fillIn } from '../dist/telemetry/markdown.js';
import { reasonsMarkdown } from '../dist/telemetry/reason-text.js';
import { REFERENCE_TABLES } from '../dist/telemetry/reference.js';

writeFileSync('docs/reasons.md', reasonsMarkdown());

const page = 'docs/telemetry.md';
let text = readFileSync(page, 'utf8');
for (const [name, table] of Object.entries(REFERENCE_TABLES)) text = fillIn(text, name, table());
writeFileSync(page, text);
