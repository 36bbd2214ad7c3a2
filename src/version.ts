import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Folder of the installed package: `proto/`, `policies/` and the plugin package lie in it. */
export const PACKAGE_ROOT = join(import.meta.dirname, '..');

/** Version of Tightbeam, from package.json. */
export const VERSION = (
  JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { readonly version: string }
).version;
