import type { Field, Unknown } from './exploring.js';

/** Letters that are easy to read first; some are always left. */
const LETTERS = 'xyzwvutsrqponmlkjihgfedcba0123456789';
const LETTERS_BEYOND = 0x4e00;

/** A character for the fields and one for each unknown, none of which stands in a pattern. */
export function freshCharacters(fields: readonly Field[], unknowns: readonly Unknown[]): readonly number[] {
  const used = new Set<number>();
  for (const { patterns } of [...fields, ...unknowns]) {
    for (const piece of patterns.flat()) {
      if (typeof piece === 'string') for (const char of piece) used.add(char.codePointAt(0) as number);
    }
  }
  const fresh: number[] = [];
  const candidates = Array.from(LETTERS, (letter) => letter.charCodeAt(0));
  for (let beyond = LETTERS_BEYOND; fresh.length <= unknowns.length;) {
    const candidate = candidates.shift() ?? beyond++;
    if (!used.has(candidate)) fresh.push(candidate);
  }
  return fresh;
}
