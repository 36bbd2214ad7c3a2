/**
 * Where the holes of patterns can stand. Exploring passes each hole in one place of a text: this is exact unless a name
 * that matters has the text of a hole in two places at once.
 */
import type { Piece } from '../matching/position-sets.js';
import { ANY, ONE, overlap, type Token } from '../matching/pattern.js';
import type { Statement } from '../reading/document.js';

/** A hole in a pattern: in which field, and what stands before it; nothing where that has wildcards. */
interface Alignment {
  readonly hole: number;
  readonly field: 'name' | 'topic';
  readonly before: string | undefined;
}

/** A pattern of names with those of topics: one way in which a statement can apply. */
interface Alternative {
  readonly name: readonly Token[];
  readonly alignments: readonly Alignment[];
}

/** What a statement's holes are like. */
export interface Shape {
  readonly effect: 'Allow' | 'Deny';
  /** Whether the other side has the same statement. */
  readonly common: boolean;
  /** Whether it applies where its patterns do not match. */
  readonly inverted: boolean;
  readonly alternatives: readonly Alternative[];
}

export function shapeOf(
  { effect, exceptResources, conditions }: Statement,
  common: boolean,
  names: readonly (readonly Piece[])[],
  topics: readonly (readonly Piece[])[],
): Shape {
  const inTopics = topics.flatMap((pattern) => alignmentsOf(pattern, 'topic'));
  const alternatives = names.map((name) => ({
    name: name.map((piece) => (typeof piece === 'object' ? ANY : piece)),
    alignments: distinct([...alignmentsOf(name, 'name'), ...inTopics]),
  }));
  const inverted = exceptResources || (inTopics.length > 0 && conditions.some(({ operator }) => /Not/.test(operator)));
  return { effect, common, inverted, alternatives };
}

function alignmentsOf(pattern: readonly Piece[], field: Alignment['field']): readonly Alignment[] {
  return pattern.flatMap((piece, index) => {
    if (typeof piece !== 'object') return [];
    const before = pattern.slice(0, index);
    const anchored = !before.includes(ANY) && !before.includes(ONE);
    return [{ hole: piece.hole, field, before: anchored ? JSON.stringify(before) : undefined }];
  });
}

function distinct(alignments: readonly Alignment[]): readonly Alignment[] {
  return alignments.filter((one, index) => !alignments.slice(0, index).some((other) => isSame(one, other)));
}

/** Behind wildcards a hole may stand anywhere, and no two such places are the same. */
function isSame(one: Alignment, other: Alignment): boolean {
  return (
    one.hole === other.hole && one.field === other.field && one.before === other.before && one.before !== undefined
  );
}

/** Does the statement use an unknown text in more than one place? */
export function repeats({ alternatives }: Shape): boolean {
  return alternatives.some(({ alignments }) => new Set(alignments.map(({ hole }) => hole)).size < alignments.length);
}

/**
 * True where a difference may depend on a text that stands in several places: a statement that only one side has uses it
 * more than once, or two statements that have to apply at once use unknown texts in different places.
 * @param compared whether there are two sides; else an Allow that applies is asked for, and no Deny that does
 */
export function canMeetElsewhere(shapes: readonly Shape[], compared: boolean): boolean {
  const own = shapes.filter(({ common }) => !common);
  if (own.some(repeats)) return true;
  const inverted = shapes.filter((shape) => shape.inverted);
  const meet = (one: Shape, other: Shape): boolean => one !== other && !areAligned(one, other);
  if (inverted.some((one) => shapes.some((other) => meet(one, other)))) return true;
  return (
    compared &&
    own
      .filter(({ effect }) => effect === 'Deny')
      .some((deny) => shapes.some((allow) => allow.effect === 'Allow' && meet(allow, deny)))
  );
}

function areAligned(one: Shape, other: Shape): boolean {
  return one.alternatives.every((first) =>
    other.alternatives.every((second) => {
      if (first.alignments.length === 0 || second.alignments.length === 0) return true;
      if (!one.inverted && !other.inverted && !overlap(first.name, second.name)) return true;
      return isWithin(first, second) || isWithin(second, first);
    }),
  );
}

function isWithin(one: Alternative, other: Alternative): boolean {
  return one.alignments.every((alignment) => other.alignments.some((found) => isSame(alignment, found)));
}
