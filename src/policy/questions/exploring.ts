/**
 * All that can be told apart of the requests that some patterns are about, one example of each. The patterns of a field
 * (the name of a resource, a topic) are one automaton; so are those about each unknown text (a client ID, a username),
 * which stands in the patterns as a hole. The text of a field is walked character by character. Where some pattern has a
 * hole, its text may begin: it is walked by both automata at once, and where it ends, the patterns with the hole go on
 * behind it, beside those that took its characters for something else. Positions are sets, so there are finitely many
 * kinds, and the walk ends; where it would take too long it says so.
 *
 * Each unknown text is tried with a character that stands in no pattern, wherever its patterns admit that: such a text
 * cannot be found in another place by chance.
 */
import { PositionSets, type Piece, type PositionSet } from '../matching/position-sets.js';
import type { PlainToken } from '../matching/pattern.js';
import { freshCharacters } from './fresh.js';
import type { Syntax } from './syntax.js';

/** One text of a request. */
export interface Field {
  readonly patterns: readonly (readonly Piece[])[];
  readonly syntax: Syntax;
  /** Indexes of patterns that the text must match. */
  readonly required: readonly number[];
}

/** A text that a hole stands for. */
export interface Unknown {
  readonly patterns: readonly (readonly PlainToken[])[];
  /** So many of the patterns, from the first one on, must match. */
  readonly required: number;
}

export interface Example {
  /** By field. */
  readonly texts: readonly string[];
  /** By field: indexes of the patterns that match, as far as holes were taken into account. */
  readonly matched: readonly (readonly number[])[];
  /** By unknown. */
  readonly words: readonly string[];
  /** By unknown: whether a hole with its text has been passed, so that the text is part of the others. */
  readonly passed: readonly boolean[];
  /** Equal for examples that are of one kind, but for `fresh`. */
  readonly kind: string;
  /** True where each unknown text has a character that is nowhere else. */
  readonly fresh: boolean;
}

/** Steps and positions that may still be looked at; below zero the exploration has been given up. */
export interface Budget {
  left: number;
}

interface Word {
  readonly text: string;
  readonly fresh: boolean;
}

/** An unknown text by which of its patterns match. */
interface Kind extends Word {
  readonly matched: string;
}

interface Node {
  readonly set: PositionSet;
  readonly state: number;
  readonly text: string;
  /** What is known of each unknown: nothing until its hole has been passed. */
  readonly words: readonly (Word | undefined)[];
  /** The hole whose text is being walked. */
  readonly open?: OpenHole;
}

interface OpenHole {
  readonly hole: number;
  /** Where the patterns with the hole go on. */
  readonly after: PositionSet;
  readonly inner: PositionSet;
  /** Where in the text of the field it began. */
  readonly from: number;
  readonly fresh: boolean;
}

/** Nothing is yielded now and then, so that whoever else waits has a turn. */
export type Exploration<T> = Generator<T | undefined, void, undefined>;

const PAUSE = 256;

/**
 * Examples of every kind of request.
 * @param repeated whether a hole can be passed more than once: its texts are told apart then
 */
export function* explore(
  fields: readonly Field[],
  unknowns: readonly Unknown[],
  repeated: boolean,
  budget: Budget,
): Exploration<Example> {
  const fresh = freshCharacters(fields, unknowns);
  const families = unknowns.map(({ patterns }) => new PositionSets(patterns));
  const kinds = unknowns.map((unknown, hole) =>
    kindsOf(unknown, families[hole] as PositionSets, fresh[hole + 1] as number, budget),
  );
  for (const chosen of combinations(kinds)) {
    yield* new Walk(fields, families, chosen, fresh, repeated, budget).run();
    if (budget.left < 0) return;
  }
}

class Walk {
  private readonly sets: readonly PositionSets[];

  constructor(
    private readonly fields: readonly Field[],
    private readonly families: readonly PositionSets[],
    private readonly kinds: readonly Kind[],
    private readonly fresh: readonly number[],
    private readonly repeated: boolean,
    private readonly budget: Budget,
  ) {
    this.sets = fields.map(({ patterns }) => new PositionSets(patterns));
  }

  *run(): Exploration<Example> {
    yield* this.walk(0, { texts: [], matched: [], words: this.kinds.map(() => undefined) });
  }

  private *walk(
    index: number,
    before: Pick<Example, 'texts' | 'matched'> & { readonly words: readonly (Word | undefined)[] },
  ): Exploration<Example> {
    const field = this.fields[index];
    if (field === undefined) {
      const words = before.words.map((word, hole) => word ?? (this.kinds[hole] as Kind));
      yield {
        texts: before.texts,
        matched: before.matched,
        words: words.map(({ text }) => text),
        passed: before.words.map((word) => word !== undefined),
        kind: JSON.stringify([before.matched, this.kinds.map(({ matched }) => matched)]),
        fresh: words.every(({ fresh }) => fresh),
      };
      return;
    }
    const sets = this.sets[index] as PositionSets;
    const ends = new Set<string>();
    const seen = new Set<string>();
    let frontier: Node[] = [{ set: sets.start, state: field.syntax.start, text: '', words: before.words }];
    let steps = 0;
    while (frontier.length > 0) {
      const next: Node[] = [];
      for (const node of frontier) {
        if (node.open === undefined && node.text !== '' && field.syntax.accepts(node.state)) {
          const matched = sets.ended(node.set);
          const end = `${matched.join()}|${this.keyOf(node.words)}`;
          if (!ends.has(end) && field.required.every((pattern) => matched.includes(pattern))) {
            ends.add(end);
            yield* this.walk(index + 1, {
              texts: [...before.texts, node.text],
              matched: [...before.matched, matched],
              words: node.words,
            });
          }
        }
        for (const step of this.stepsFrom(node, field, sets)) {
          if (--this.budget.left < 0) return;
          if (++steps % PAUSE === 0) yield undefined;
          const key = this.keyOfNode(step, field);
          if (seen.has(key)) continue;
          seen.add(key);
          next.push(step);
        }
      }
      frontier = next;
    }
  }

  private *stepsFrom(node: Node, field: Field, sets: PositionSets): Generator<Node> {
    const { set, open } = node;
    this.budget.left -= set.positions.length;
    if (open === undefined) {
      for (const hole of this.kinds.keys()) {
        const after = sets.jump(set, hole);
        if (after.positions.length === 0) continue;
        const known = node.words[hole];
        if (known === undefined) {
          const inner = (this.families[hole] as PositionSets).start;
          yield { ...node, open: { hole, after, inner, from: node.text.length, fresh: false } };
        } else {
          const end = this.readWord(node, known.text, field, sets);
          if (end !== undefined) yield { ...end, set: sets.union(end.set, after) };
        }
      }
    } else {
      const kind = this.kinds[open.hole] as Kind;
      const family = this.families[open.hole] as PositionSets;
      if (node.text.length > open.from && family.ended(open.inner).join() === kind.matched) {
        const word = { text: node.text.slice(open.from), fresh: open.fresh };
        const words = node.words.with(open.hole, word);
        yield { set: sets.union(set, open.after), state: node.state, text: node.text, words };
      }
    }
    for (const char of this.choices(node, field)) {
      const step = this.readCharacter(node, char, field, sets);
      if (step !== undefined) yield step;
    }
  }

  private choices({ set, state, open }: Node, { syntax }: Field): Iterable<number> {
    const only = syntax.only?.(state);
    if (only !== undefined) return only;
    const own = this.fresh[open === undefined ? 0 : open.hole + 1] as number;
    return new Set([own, ...apart(set), ...(open === undefined ? [] : apart(open.inner))]);
  }

  private readCharacter(node: Node, char: number, { syntax }: Field, sets: PositionSets): Node | undefined {
    const state = syntax.next(node.state, char);
    if (state === undefined) return undefined;
    const { open } = node;
    const inner = open && (this.families[open.hole] as PositionSets).next(open.inner, char);
    return {
      set: sets.next(node.set, char),
      state,
      text: node.text + String.fromCodePoint(char),
      words: node.words,
      ...(open && inner && { open: { ...open, inner, fresh: open.fresh || char === this.fresh[open.hole + 1] } }),
    };
  }

  private readWord(from: Node, word: string, field: Field, sets: PositionSets): Node | undefined {
    let node: Node | undefined = from;
    for (const char of word) node = node && this.readCharacter(node, char.codePointAt(0) as number, field, sets);
    this.budget.left -= word.length;
    return node;
  }

  private keyOfNode({ set, state, words, open }: Node, { syntax }: Field): string {
    // Within the one text there is, where it begins makes another text for the hole.
    const from = this.repeated && syntax.one === true ? open?.from : '';
    const inside = open && `${open.hole}.${open.after.id}.${open.inner.id}.${open.fresh}.${from}`;
    return `${set.id}:${state}:${inside ?? ''}:${this.keyOf(words)}`;
  }

  private keyOf(words: Node['words']): string {
    let key = '';
    for (const word of words) {
      if (word === undefined) key += '-';
      else key += this.repeated ? `${word.text.length}=${word.text}` : word.fresh ? '+' : '=';
    }
    return key;
  }
}

/** The characters that need to be told apart, without the one that stands for all the others. */
function apart({ choices }: PositionSet): readonly number[] {
  return choices.slice(0, -1);
}

/** One text for each kind, with a fresh character where there is such a one. */
function kindsOf({ required }: Unknown, family: PositionSets, fresh: number, budget: Budget): readonly Kind[] {
  const kinds = new Map<string, Kind>();
  const seen = new Set<string>();
  let frontier: { readonly set: PositionSet; readonly text: string; readonly fresh: boolean }[] = [
    { set: family.start, text: '', fresh: false },
  ];
  while (frontier.length > 0 && budget.left >= 0) {
    const next: typeof frontier = [];
    for (const node of frontier) {
      budget.left -= node.set.positions.length;
      const ended = family.ended(node.set);
      const matched = ended.join();
      const isOne = node.text !== '' && ended.filter((pattern) => pattern < required).length === required;
      if (isOne && (kinds.get(matched)?.fresh ?? false) < node.fresh) kinds.set(matched, { ...node, matched });
      else if (isOne && !kinds.has(matched)) kinds.set(matched, { ...node, matched });
      for (const char of new Set([fresh, ...apart(node.set)])) {
        const set = family.next(node.set, char);
        const step = { set, text: node.text + String.fromCodePoint(char), fresh: node.fresh || char === fresh };
        const key = `${set.id}:${step.fresh}`;
        budget.left--;
        if (seen.has(key)) continue;
        seen.add(key);
        next.push(step);
      }
    }
    frontier = next;
  }
  return [...kinds.values()];
}

function* combinations<T>(lists: readonly (readonly T[])[]): Generator<readonly T[]> {
  const [first, ...others] = lists;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const rest of combinations(others)) for (const item of first) yield [item, ...rest];
}
