/** More letters than this that differ are not a slip of the finger. */
const MAX_SLIPS = 2;

/** The name that was probably meant by one that is none; case does not matter. Undefined where none is near. */
export function nearest<Name extends string>(name: string, names: Iterable<Name>): Name | undefined {
  let found: Name | undefined;
  // Of short names, half the letters must be right.
  let least = Math.min(MAX_SLIPS, Math.floor(name.length / 2)) + 1;
  for (const known of names) {
    if (Math.abs(known.length - name.length) >= least) continue;
    const slips = differences(known.toLowerCase(), name.toLowerCase());
    if (slips < least) [found, least] = [known, slips];
  }
  return found;
}

/** Levenshtein distance, where two neighbours that changed places count once (optimal string alignment). */
function differences(one: string, other: string): number {
  let [before, above]: number[][] = [[], Array.from({ length: other.length + 1 }, (_, column) => column)];
  for (let row = 0; row < one.length; row++) {
    const next = [row + 1];
    for (let column = 0; column < other.length; column++) {
      const same = one[row] === other[column] ? 0 : 1;
      let slips = Math.min((above?.[column] ?? 0) + same, (above?.[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1);
      const swapped = row > 0 && column > 0 && one[row] === other[column - 1] && one[row - 1] === other[column];
      if (swapped) slips = Math.min(slips, (before?.[column - 1] ?? 0) + 1);
      next.push(slips);
    }
    [before, above] = [above, next];
  }
  return above?.at(-1) ?? 0;
}
