import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the installed package: `proto/`, `policies/` and `dev/` lie in it. */
export const PACKAGE_ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Version of Tightbeam, from package.json. */
export const VERSION = (
  JSON.parse(readFileSync(join(PACKAGE_ROOT, 'package.json'), 'utf8')) as { readonly version: string }
).version;
