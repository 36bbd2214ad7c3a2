import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

/** The plugin package, as `sh emqx-plugin/build.sh` makes it. */
export const PACKAGE = join(ROOT, 'emqx-plugin', 'build', `tightbeam-${version}.tar.gz`);

/** @throws Error where it has not been made. */
export function packageFile(): string {
  if (!existsSync(PACKAGE)) throw new Error(`${PACKAGE} is missing: run \`npm run build:plugin\``);
  return PACKAGE;
}
