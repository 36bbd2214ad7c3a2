import type { RequestContext } from '../conditions/context.js';
import { ANY, matchPattern, valueOf, type Token, type Variable } from './pattern.js';
import { NONE, RadixTree, ROOT } from './radix-tree.js';
import { FALSE, TRUE, UNKNOWN } from './tri.js';
import type { Work } from '../work.js';

/** Receives what the patterns that match stand for; UNKNOWN: those that would if variables could be anything. */
export interface Visitor {
  visit(payload: number, match: typeof TRUE | typeof UNKNOWN, context: RequestContext): void;
}

/** A pattern with the number that it stands for. */
export interface Entry {
  readonly tokens: readonly Token[];
  readonly payload: number;
}

/** Up to so many patterns are tried in turn: that is as fast as an index, and takes a fraction of its memory. */
const IN_TURN = 3;

/** Patterns by which a text can be searched for those that match it. Immutable. */
export interface PatternIndex {
  /** Visits the payload of every pattern that matches the text from there to its end; one may be visited twice. */
  search(text: string, from: number, context: RequestContext, visitor: Visitor): void;
}

/** An index whose search hardly costs more for many patterns than for few. */
export function* indexPatterns(entries: readonly Entry[]): Work<PatternIndex> {
  return entries.length <= IN_TURN ? new PatternList(entries) : yield* PrefixIndex.of(entries);
}

/** What a pattern is after the literal text that it begins with. */
const EXACT = 0;
const OPEN = 1;
const OTHER = 2;

/** A pattern as it is tried in turn. */
interface Trial {
  /** Literal text that the pattern begins with. */
  readonly head: string;
  /** First character of the head, -1 where there is none. */
  readonly first: number;
  readonly kind: typeof EXACT | typeof OPEN | typeof OTHER;
  /** What follows the head. */
  readonly rest: readonly Token[];
  readonly payload: number;
}

class PatternList implements PatternIndex {
  private readonly trials: readonly Trial[];

  constructor(entries: readonly Entry[]) {
    this.trials = entries.map(trialOf);
  }

  search(text: string, from: number, context: RequestContext, visitor: Visitor): void {
    const { trials } = this;
    const first = from < text.length ? text.charCodeAt(from) : -1;
    for (let index = 0; index < trials.length; index++) {
      const trial = trials[index] as Trial;
      if (trial.first >= 0 && (trial.first !== first || !text.startsWith(trial.head, from))) continue;
      const at = from + trial.head.length;
      if (trial.kind === OPEN || (trial.kind === EXACT && at === text.length))
        visitor.visit(trial.payload, TRUE, context);
      else if (trial.kind === OTHER) {
        const match = matchPattern(trial.rest, text, context, at);
        if (match !== FALSE) visitor.visit(trial.payload, match, context);
      }
    }
  }
}

function trialOf({ tokens, payload }: Entry): Trial {
  const [found] = tokens;
  const head = typeof found === 'string' ? found : '';
  const rest = head === '' ? tokens : tokens.slice(1);
  const kind = rest.length === 0 ? EXACT : rest.length === 1 && rest[0] === ANY ? OPEN : OTHER;
  return { head, first: head === '' ? -1 : head.charCodeAt(0), kind, rest: kind === OTHER ? rest : NOTHING, payload };
}

const NOTHING: readonly Token[] = [];

/** What patterns say from one place on: up to there they are the same literal text. */
interface Group {
  /** They end here. */
  readonly exact: number[];
  /** They go on with `*` and end. */
  readonly open: number[];
  /** They go on with a wildcard. */
  readonly wild: Entry[];
  /** They go on with a variable. */
  readonly variables: Map<string, { readonly variable: Variable; readonly entries: Entry[] }>;
}

/** The part of a group for which there is more to do than to visit. */
interface Branches {
  readonly wild: PatternIndex | undefined;
  readonly variables: readonly VariableEdge[];
}

interface VariableEdge {
  readonly variable: Variable;
  /** What follows the variable. */
  readonly index: PatternIndex;
  /** The same patterns with the variable, for the case that it has no value. */
  readonly entries: readonly Entry[];
}

/**
 * Patterns by the literal text before their first wildcard or variable. A search walks the one path of the text, so that
 * its cost hardly depends on how many patterns there are.
 */
class PrefixIndex implements PatternIndex {
  private constructor(
    private readonly tree: RadixTree,
    /** Payloads of all groups: exact and open ones in turn. */
    private readonly payloads: Int32Array,
    /** By group, where its exact and its open payloads begin; they end where the next ones begin. */
    private readonly starts: Int32Array,
    private readonly branches: readonly (Branches | undefined)[],
  ) {}

  static *of(entries: readonly Entry[]): Work<PrefixIndex> {
    const groups = new Map<string, Group>();
    for (const entry of entries) {
      addToGroup(groups, entry);
      yield;
    }
    const tree = yield* RadixTree.of(groups.keys(), 'forwards');
    const payloads: number[] = [];
    const starts: number[] = [];
    const branches: (Branches | undefined)[] = [];
    for (const group of groups.values()) {
      const { exact, open } = group;
      starts.push(payloads.length, payloads.length + exact.length);
      for (const payload of exact) payloads.push(payload);
      for (const payload of open) payloads.push(payload);
      branches.push(yield* branchesOf(group));
      yield;
    }
    starts.push(payloads.length);
    return new PrefixIndex(tree, Int32Array.from(payloads), Int32Array.from(starts), branches);
  }

  search(text: string, from: number, context: RequestContext, visitor: Visitor): void {
    const { tree } = this;
    let node = ROOT;
    let at = from;
    for (;;) {
      const group = tree.text(node);
      if (group !== NONE) this.searchGroup(group, text, at, context, visitor);
      node = tree.child(node, text, at, text.length - at);
      if (node === NONE) return;
      at += tree.length(node);
    }
  }

  private searchGroup(group: number, text: string, at: number, context: RequestContext, visitor: Visitor): void {
    const { payloads, starts } = this;
    const open = starts[2 * group + 1] as number;
    const end = starts[2 * group + 2] as number;
    const start = at === text.length ? (starts[2 * group] as number) : open;
    for (let index = start; index < end; index++) visitor.visit(payloads[index] as number, TRUE, context);
    const branches = this.branches[group];
    if (branches === undefined) return;
    branches.wild?.search(text, at, context, visitor);
    for (const edge of branches.variables) searchEdge(edge, text, at, context, visitor);
  }
}

function searchEdge(edge: VariableEdge, text: string, at: number, context: RequestContext, visitor: Visitor): void {
  const value = valueOf(edge.variable, context);
  if (value !== undefined) {
    if (text.startsWith(value, at)) edge.index.search(text, at + value.length, context, visitor);
    return;
  }
  for (const { tokens, payload } of edge.entries) {
    if (matchPattern(tokens, text, context, at) !== FALSE) visitor.visit(payload, UNKNOWN, context);
  }
}

function addToGroup(groups: Map<string, Group>, { tokens, payload }: Entry): void {
  const [first] = tokens;
  const literal = typeof first === 'string' ? first : '';
  const rest = literal === '' ? tokens : tokens.slice(1);
  let group = groups.get(literal);
  if (group === undefined) {
    group = { exact: [], open: [], wild: [], variables: new Map() };
    groups.set(literal, group);
  }
  const [next] = rest;
  if (next === undefined) group.exact.push(payload);
  else if (next === ANY && rest.length === 1) group.open.push(payload);
  else if (typeof next !== 'object') group.wild.push({ tokens: rest, payload });
  else {
    const key = JSON.stringify([next.key.name, next.fallback]);
    const same = group.variables.get(key) ?? { variable: next, entries: [] };
    group.variables.set(key, same);
    same.entries.push({ tokens: rest, payload });
  }
}

function* branchesOf({ wild, variables }: Group): Work<Branches | undefined> {
  if (wild.length === 0 && variables.size === 0) return undefined;
  const edges: VariableEdge[] = [];
  for (const { variable, entries } of variables.values()) {
    const after = entries.map(({ tokens, payload }) => ({ tokens: tokens.slice(1), payload }));
    edges.push({ variable, entries, index: yield* indexPatterns(after) });
  }
  return { wild: wild.length === 0 ? undefined : yield* indexWild(wild), variables: edges };
}

function* indexWild(wild: readonly Entry[]): Work<PatternIndex> {
  return wild.length <= IN_TURN ? new PatternList(wild) : yield* SuffixIndex.of(wild);
}

/** Patterns that begin with a wildcard, by the literal text after their last one. */
class SuffixIndex implements PatternIndex {
  private constructor(
    private readonly tree: RadixTree,
    private readonly lists: readonly PatternList[],
  ) {}

  static *of(entries: readonly Entry[]): Work<SuffixIndex> {
    const endings = new Map<string, Entry[]>();
    for (const entry of entries) {
      const last = entry.tokens.at(-1);
      const ending = typeof last === 'string' ? last : '';
      const same = endings.get(ending) ?? [];
      endings.set(ending, same);
      same.push(entry);
      yield;
    }
    const tree = yield* RadixTree.of(endings.keys(), 'backwards');
    const lists: PatternList[] = [];
    for (const same of endings.values()) {
      lists.push(new PatternList(same));
      yield;
    }
    return new SuffixIndex(tree, lists);
  }

  search(text: string, from: number, context: RequestContext, visitor: Visitor): void {
    const { tree } = this;
    let node = ROOT;
    let left = text.length - from;
    for (;;) {
      const list = tree.text(node);
      if (list !== NONE) this.lists[list]?.search(text, from, context, visitor);
      node = tree.child(node, text, from + left - 1, left);
      if (node === NONE) return;
      left -= tree.length(node);
    }
  }
}
