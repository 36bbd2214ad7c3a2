import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import process from 'node:process';
import { createTransformer as createSwc } from '@swc/jest';

/** As @swc/jest, but that a source with mutants in it stands in for the one without. */
export function createTransformer(options) {
  const swc = createSwc(options);
  const instead = (source, file) => {
    const mutated = join(process.env['TIGHTBEAM_MUTANTS'] ?? '', relative(process.cwd(), file));
    return existsSync(mutated) ? readFileSync(mutated, 'utf8') : source;
  };
  return {
    canInstrument: false,
    process: (source, file, more) => swc.process(instead(source, file), file, more),
    getCacheKey: (source, file, more) =>
      createHash('sha256')
        .update(swc.getCacheKey(instead(source, file), file, more))
        .digest('hex')
        .slice(0, 32),
  };
}

export default { createTransformer };
