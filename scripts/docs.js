/** Writes the pages of docs/ that are made from tables in the code. Run by `npm run docs`, after the build. */
import { writeFileSync } from 'node:fs';
import { reasonsMarkdown } from '../dist/telemetry/reason-text.js';

writeFileSync('docs/reasons.md', reasonsMarkdown());
