import type { RequestContext } from './context.js';
import { ANY, matchPattern, matchTokens, valueOf, type PlainToken, type Token, type Variable } from './pattern.js';
import { FALSE, TRUE, UNKNOWN } from './tri.js';

/** Receives the payloads whose pattern matches (TRUE) or would if variables without a value could be anything. */
export interface Visitor<T> {
  visit(payload: T, match: typeof TRUE | typeof UNKNOWN): void;
}

/** A pattern in the index; `rest` is what its node has not matched yet, and begins with a wildcard. */
interface Leaf<T> {
  readonly payload: T;
  readonly tokens: readonly Token[];
  readonly rest: readonly Token[];
  /** `rest` has no variables. */
  readonly plain: boolean;
}

/** From this many on, the leaves of a node that end in a literal are found by that ending. */
const SUFFIX_THRESHOLD = 3;

/** What is at a node apart from the literals that lead on from it. */
class Content<T> {
  variables: { readonly variable: Variable; readonly node: Node<T> }[] = [];
  /** Patterns that end here. */
  exact: Leaf<T>[] = [];
  /** Patterns that go on with `*` and end. */
  open: Leaf<T>[] = [];
  /** All others. */
  wild: Leaf<T>[] = [];
  /** Once the index is complete: those of the others that end in a literal. */
  suffixes: Suffixes<T> | undefined = undefined;
}

class Node<T> {
  /** By the first character of their labels. Most nodes are ends and have none. */
  literals: Map<number, Node<T>> | undefined = undefined;
  content: Content<T> | undefined = undefined;

  /** @param label text of the edge that leads here */
  constructor(public label: string) {}
}

/** Leaves by a hash of the literal that they end in. Leaves of another ending with the same hash just do not match. */
interface Suffixes<T> {
  /** Of the endings, ascending. */
  readonly lengths: readonly number[];
  readonly leaves: ReadonlyMap<number, readonly Leaf<T>[]>;
}

/**
 * Patterns by the literal text (and variables) before their first wildcard: a radix tree whose edges are literals or
 * variables. A search walks the one path of the text, so that its cost hardly depends on how many patterns there are.
 */
export class PrefixIndex<T> {
  private readonly root = new Node<T>('');

  /** @param entries patterns and what they stand for. The index is immutable from then on. */
  constructor(entries: Iterable<readonly [tokens: readonly Token[], payload: T]>) {
    for (const [tokens, payload] of entries) insert(this.root, tokens, payload);
    for (const node of subtree(this.root)) {
      node.label = flat(node.label);
      if (node.content === undefined) continue;
      indexSuffixes(node.content);
      trimContent(node.content);
    }
  }

  /** Visits the payload of every pattern that matches the whole text; one may be visited more than once. */
  search(text: string, context: RequestContext, visitor: Visitor<T>): void {
    searchNode(this.root, text, 0, context, visitor);
  }
}

function insert<T>(root: Node<T>, tokens: readonly Token[], payload: T): void {
  let node = root;
  let index = 0;
  for (; index < tokens.length; index++) {
    const token = tokens[index];
    if (typeof token === 'string') node = insertLiteral(node, token);
    else if (typeof token === 'object') node = insertVariable(node, token);
    else break;
  }
  const rest = tokens.slice(index);
  const leaf = { payload, tokens, rest, plain: rest.every((token) => typeof token !== 'object') };
  const content = (node.content ??= new Content());
  if (rest.length === 0) content.exact.push(leaf);
  else if (rest.length === 1 && rest[0] === ANY) content.open.push(leaf);
  else content.wild.push(leaf);
}

function insertLiteral<T>(start: Node<T>, literal: string): Node<T> {
  let node = start;
  for (let text = literal; text !== '';) {
    const first = text.charCodeAt(0);
    const literals = (node.literals ??= new Map<number, Node<T>>());
    let child = literals.get(first);
    if (child === undefined) {
      child = new Node<T>(text);
      literals.set(first, child);
      return child;
    }
    const common = commonLength(text, child.label);
    if (common < child.label.length) {
      const middle = new Node<T>(text.slice(0, common));
      literals.set(first, middle);
      child.label = child.label.slice(common);
      middle.literals = new Map([[child.label.charCodeAt(0), child]]);
      child = middle;
    }
    node = child;
    text = text.slice(common);
  }
  return node;
}

function commonLength(one: string, other: string): number {
  let common = 0;
  while (common < one.length && one.charCodeAt(common) === other.charCodeAt(common)) common++;
  return common;
}

function insertVariable<T>(parent: Node<T>, variable: Variable): Node<T> {
  const { variables } = (parent.content ??= new Content());
  const same = variables.find(
    (edge) => edge.variable.key.name === variable.key.name && edge.variable.fallback === variable.fallback,
  );
  if (same !== undefined) return same.node;
  const node = new Node<T>('');
  variables.push({ variable, node });
  return node;
}

/** A text of its own: what slice returns refers to the text it was cut from, and its characters take longer to reach. */
function flat(text: string): string {
  return Array.from(text).join('');
}

/** The nodes below and with this one; not by recursion, for a tree may be as deep as its longest text. */
function* subtree<T>(root: Node<T>): Generator<Node<T>> {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node;
    for (const child of node.literals?.values() ?? []) stack.push(child);
    for (const edge of node.content?.variables ?? []) stack.push(edge.node);
  }
}

function indexSuffixes<T>(content: Content<T>): void {
  if (content.wild.length < SUFFIX_THRESHOLD) return;
  const lengths = new Set<number>();
  const leaves = new Map<number, Leaf<T>[]>();
  content.wild = content.wild.filter((leaf) => {
    const last = leaf.rest.at(-1);
    if (typeof last !== 'string') return true;
    const hash = hashBackwards(last, 0, last.length, 0);
    const same = leaves.get(hash) ?? [];
    same.push(leaf);
    leaves.set(hash, same);
    lengths.add(last.length);
    return false;
  });
  content.suffixes = { lengths: [...lengths].sort((one, other) => one - other), leaves };
}

const EMPTY: never[] = [];

/**
 * The same items in no more memory than they need: a list that grew has room for more, and the empty ones are one. What
 * lies close together is found sooner, too.
 */
function trim<I>(items: I[]): I[] {
  return items.length === 0 ? EMPTY : items.slice();
}

function trimContent<T>(content: Content<T>): void {
  content.variables = trim(content.variables);
  content.exact = trim(content.exact);
  content.open = trim(content.open);
  content.wild = trim(content.wild);
}

/** Goes on with the hash of the text's last characters: those after the first `done` up to `length`, from the end. */
function hashBackwards(text: string, done: number, length: number, hash: number): number {
  let result = hash;
  for (let taken = done + 1; taken <= length; taken++) {
    result = (Math.imul(result, 31) + text.charCodeAt(text.length - taken)) | 0;
  }
  return result;
}

function searchNode<T>(start: Node<T>, text: string, from: number, context: RequestContext, visitor: Visitor<T>): void {
  let node = start;
  let position = from;
  for (;;) {
    if (node.content !== undefined) searchContent(node.content, text, position, context, visitor);
    const child = node.literals?.get(text.charCodeAt(position));
    if (child === undefined || !continues(text, child.label, position)) return;
    position += child.label.length;
    node = child;
  }
}

/** startsWith for short labels whose first character is known to match; a call of the built-in costs more than it does. */
function continues(text: string, label: string, position: number): boolean {
  if (text.length - position < label.length) return false;
  for (let at = 1; at < label.length; at++) {
    if (text.charCodeAt(position + at) !== label.charCodeAt(at)) return false;
  }
  return true;
}

function searchContent<T>(
  content: Content<T>,
  text: string,
  position: number,
  context: RequestContext,
  visitor: Visitor<T>,
): void {
  if (position === text.length) for (const { payload } of content.exact) visitor.visit(payload, TRUE);
  for (const { payload } of content.open) visitor.visit(payload, TRUE);
  if (content.wild.length > 0) visitLeaves(content.wild, text, position, context, visitor);
  if (content.suffixes !== undefined) searchSuffixes(content.suffixes, text, position, context, visitor);
  for (const { variable, node } of content.variables) {
    const value = valueOf(variable, context);
    if (value === undefined) visitUnresolved(node, text, context, visitor);
    else if (text.startsWith(value, position)) searchNode(node, text, position + value.length, context, visitor);
  }
}

function searchSuffixes<T>(
  { lengths, leaves }: Suffixes<T>,
  text: string,
  position: number,
  context: RequestContext,
  visitor: Visitor<T>,
): void {
  let hash = 0;
  let done = 0;
  for (const length of lengths) {
    if (text.length - position < length) return;
    hash = hashBackwards(text, done, length, hash);
    done = length;
    const found = leaves.get(hash);
    if (found !== undefined) visitLeaves(found, text, position, context, visitor);
  }
}

function visitLeaves<T>(
  leaves: readonly Leaf<T>[],
  text: string,
  position: number,
  context: RequestContext,
  visitor: Visitor<T>,
): void {
  for (const { rest, plain, payload } of leaves) {
    if (plain) {
      if (matchTokens(rest as readonly PlainToken[], text, position)) visitor.visit(payload, TRUE);
    } else {
      const match = matchPattern(rest, text, context, position);
      if (match !== FALSE) visitor.visit(payload, match);
    }
  }
}

/** Everything below an edge whose variable has no value: a match of the rest is UNKNOWN. */
function visitUnresolved<T>(root: Node<T>, text: string, context: RequestContext, visitor: Visitor<T>): void {
  for (const { content } of subtree(root)) {
    if (content === undefined) continue;
    const { exact, open, wild, suffixes } = content;
    for (const leaf of [exact, open, wild, ...(suffixes?.leaves.values() ?? [])].flat()) {
      if (matchPattern(leaf.tokens, text, context) !== FALSE) visitor.visit(leaf.payload, UNKNOWN);
    }
  }
}
