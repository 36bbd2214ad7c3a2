import { ANY, ONE, type Token } from './pattern.js';

/** More residuals than this would cost more in the index than they save. */
const MAX_RESIDUALS = 4;

/**
 * What is left of a pattern once it has matched `prefix` (ASCII), which every resource of the kind begins with: several
 * patterns where a wildcard may end in several places, none where the pattern cannot match, and nothing where it
 * depends on a variable or there would be too many.
 */
export function residualsAfter(
  tokens: readonly Token[],
  prefix: string,
  limit = MAX_RESIDUALS,
): readonly (readonly Token[])[] | undefined {
  let states = new Positions(tokens).add(0, 0);
  for (let at = 0; at < prefix.length; at++) {
    const next = new Positions(tokens);
    for (const [index, offset] of states.all()) {
      const token = tokens[index];
      if (token === ANY) next.add(index, 0);
      else if (token === ONE) next.add(index + 1, 0);
      else if (typeof token === 'object') return undefined;
      else if (token?.charCodeAt(offset) === prefix.charCodeAt(at)) next.add(index, offset + 1);
    }
    states = next;
  }
  const all = states.all().map(([index, offset]) => {
    const token = tokens[index];
    return typeof token === 'string' ? [token.slice(offset), ...tokens.slice(index + 1)] : tokens.slice(index);
  });
  const everything = all.find((residual) => residual.length === 1 && residual[0] === ANY);
  if (everything !== undefined) return [everything];
  return all.length > limit ? undefined : all;
}

/** Where in a pattern one may be: token, and offset in it if it is text. */
class Positions {
  private readonly found = new Map<string, readonly [index: number, offset: number]>();

  constructor(private readonly tokens: readonly Token[]) {}

  all(): readonly (readonly [index: number, offset: number])[] {
    return [...this.found.values()];
  }

  /** Adds a place, and the one behind it where it is the end of a text or a `*`, which may also stand for nothing. */
  add(index: number, offset: number): this {
    const token = this.tokens[index];
    if (typeof token === 'string' && offset === token.length) return this.add(index + 1, 0);
    this.found.set(`${index}:${offset}`, [index, offset]);
    return token === ANY ? this.add(index + 1, 0) : this;
  }
}
