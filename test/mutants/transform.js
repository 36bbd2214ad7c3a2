import { createHash } from 'node:crypto';
import process from 'node:process';
import { createTransformer as createSwc } from '@swc/jest';

/** As @swc/jest, but that the file of the mutant has its text changed before. */
export function createTransformer(options) {
  const swc = createSwc(options);
  const mutant = JSON.parse(process.env['TIGHTBEAM_MUTANT'] ?? '{}');
  const mutated = (source, file) =>
    mutant.file !== undefined && file.endsWith(mutant.file)
      ? source.slice(0, mutant.start) + mutant.text + source.slice(mutant.end)
      : source;
  return {
    canInstrument: false,
    process: (source, file, more) => swc.process(mutated(source, file), file, more),
    getCacheKey: (source, file, more) =>
      createHash('sha256')
        .update(swc.getCacheKey(mutated(source, file), file, more))
        .digest('hex')
        .slice(0, 32),
  };
}

export default { createTransformer };
