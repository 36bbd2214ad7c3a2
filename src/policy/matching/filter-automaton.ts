/**
 * A topic filter as a deterministic automaton over the characters (code points) of topic names (MQTT 5, section 4.7).
 * A `+` takes in a whole level, so that at each place there is but one way on.
 */

const SLASH = 0x2f;
const DOLLAR = 0x24;
const PLUS = -1;
const HASH = -2;

/** Characters that no topic name has (MQTT 5, sections 1.5.4 and 4.7.1.1). */
const FORBIDDEN: ReadonlySet<number> = new Set([0, 0x2b, 0x23]);

/** Where the automaton is before any character: topic names are not empty, and a leading wildcard takes no `$`. */
export const START = -1;

export class FilterAutomaton {
  private readonly items: readonly number[];
  /** Literal text before the first wildcard: every topic that the filter matches begins with it, save for `parent`. */
  readonly literalPrefix: string;

  /** @param hashMatchesParent whether `a/#` matches `a`: yes in MQTT (section 4.7.1.2), no in AWS IoT Core */
  constructor(
    filter: string,
    private readonly hashMatchesParent: boolean,
  ) {
    this.items = filter
      .split('/')
      .flatMap((level, index) => [
        ...(index > 0 ? [SLASH] : []),
        ...(level === '+' ? [PLUS] : level === '#' ? [HASH] : Array.from(level, (char) => char.codePointAt(0) ?? 0)),
      ]);
    const wildcard = this.items.findIndex((item) => item < 0);
    const end = this.items[wildcard] === HASH ? wildcard - 1 : wildcard;
    this.literalPrefix = String.fromCodePoint(...this.items.slice(0, Math.max(0, end)));
  }

  /** The one character that can come next, or nothing where the filter leaves it open. */
  literalAt(state: number): number | undefined {
    const item = this.items[Math.max(0, state)];
    return item !== undefined && item >= 0 ? item : undefined;
  }

  /** The state after the character; nothing where the filter does not match any topic that goes on with it. */
  next(state: number, char: number): number | undefined {
    if (FORBIDDEN.has(char)) return undefined;
    const at = Math.max(0, state);
    const item = this.items[at];
    if (item === undefined) return undefined;
    if (item >= 0) return item === char ? at + 1 : undefined;
    if (state === START && char === DOLLAR) return undefined;
    if (item === HASH || char !== SLASH) return at;
    return this.items[at + 1] === SLASH ? at + 2 : undefined;
  }

  /** True where a topic that ends here is matched. */
  accepts(state: number): boolean {
    if (state === START) return false;
    const item = this.items[state];
    if (item === undefined || item === HASH) return true;
    const rest = item === PLUS ? state + 1 : state;
    if (rest === this.items.length) return true;
    return this.hashMatchesParent && this.items[rest] === SLASH && this.items[rest + 1] === HASH;
  }
}
