import type { RequestContext } from './context.js';
import { ANY, matchPattern, matchTokens, valueOf, type Token, type Variable } from './pattern.js';
import { FALSE, TRUE, UNKNOWN, type Tri } from './tri.js';

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
const SUFFIX_THRESHOLD = 8;

class Node<T> {
  /** Text of the edge that leads here. */
  label: string;
  readonly literals = new Map<number, Node<T>>();
  readonly variables: { readonly variable: Variable; readonly node: Node<T> }[] = [];
  /** Patterns that end here. */
  readonly exact: Leaf<T>[] = [];
  /** Patterns that go on with `*` and end. */
  readonly open: Leaf<T>[] = [];
  /** All others. */
  wild: Leaf<T>[] = [];
  /** Once the index is complete: those of the others that end in a literal, by its length and text. */
  suffixes: Map<number, Map<string, Leaf<T>[]>> | undefined;

  constructor(label: string) {
    this.label = label;
  }
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
    for (const node of subtree(this.root)) indexSuffixes(node);
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
  if (rest.length === 0) node.exact.push(leaf);
  else if (rest.length === 1 && rest[0] === ANY) node.open.push(leaf);
  else node.wild.push(leaf);
}

function insertLiteral<T>(start: Node<T>, literal: string): Node<T> {
  let node = start;
  for (let text = literal; text !== '';) {
    const first = text.charCodeAt(0);
    let child = node.literals.get(first);
    if (child === undefined) {
      child = new Node<T>(text);
      node.literals.set(first, child);
      return child;
    }
    const common = commonLength(text, child.label);
    if (common < child.label.length) {
      const middle = new Node<T>(text.slice(0, common));
      node.literals.set(first, middle);
      child.label = child.label.slice(common);
      middle.literals.set(child.label.charCodeAt(0), child);
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
  const same = parent.variables.find(
    (edge) => edge.variable.key.name === variable.key.name && edge.variable.fallback === variable.fallback,
  );
  if (same !== undefined) return same.node;
  const node = new Node<T>('');
  parent.variables.push({ variable, node });
  return node;
}

/** The nodes below and with this one; not by recursion, for a tree may be as deep as its longest text. */
function* subtree<T>(root: Node<T>): Generator<Node<T>> {
  const stack = [root];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    yield node;
    for (const child of node.literals.values()) stack.push(child);
    for (const edge of node.variables) stack.push(edge.node);
  }
}

function indexSuffixes<T>(node: Node<T>): void {
  if (node.wild.length < SUFFIX_THRESHOLD) return;
  const suffixes = new Map<number, Map<string, Leaf<T>[]>>();
  node.wild = node.wild.filter((leaf) => {
    const last = leaf.rest.at(-1);
    if (typeof last !== 'string') return true;
    const sameLength = suffixes.get(last.length) ?? new Map<string, Leaf<T>[]>();
    const sameSuffix = sameLength.get(last) ?? [];
    sameSuffix.push(leaf);
    suffixes.set(last.length, sameLength.set(last, sameSuffix));
    return false;
  });
  node.suffixes = suffixes;
}

function searchNode<T>(start: Node<T>, text: string, from: number, context: RequestContext, visitor: Visitor<T>): void {
  let node = start;
  let position = from;
  for (;;) {
    if (position === text.length) for (const leaf of node.exact) visitor.visit(leaf.payload, TRUE);
    for (const leaf of node.open) visitor.visit(leaf.payload, TRUE);
    if (node.wild.length > 0) visitLeaves(node.wild, text, position, context, visitor);
    if (node.suffixes !== undefined) searchSuffixes(node.suffixes, text, position, context, visitor);
    for (const edge of node.variables) searchVariable(edge.variable, edge.node, text, position, context, visitor);
    const child = node.literals.get(text.charCodeAt(position));
    if (child === undefined || !text.startsWith(child.label, position)) return;
    position += child.label.length;
    node = child;
  }
}

function searchSuffixes<T>(
  suffixes: ReadonlyMap<number, ReadonlyMap<string, readonly Leaf<T>[]>>,
  text: string,
  position: number,
  context: RequestContext,
  visitor: Visitor<T>,
): void {
  for (const [length, leaves] of suffixes) {
    if (text.length - position < length) continue;
    const found = leaves.get(text.slice(text.length - length));
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
  const remaining = position === 0 ? text : text.slice(position);
  for (const leaf of leaves) {
    const match: Tri = leaf.plain
      ? matchTokens(leaf.rest as (string | typeof ANY)[], remaining)
        ? TRUE
        : FALSE
      : matchPattern(leaf.rest, remaining, context);
    if (match !== FALSE) visitor.visit(leaf.payload, match);
  }
}

function searchVariable<T>(
  variable: Variable,
  node: Node<T>,
  text: string,
  position: number,
  context: RequestContext,
  visitor: Visitor<T>,
): void {
  const value = valueOf(variable, context);
  if (value === undefined) visitUnresolved(node, text, context, visitor);
  else if (text.startsWith(value, position)) searchNode(node, text, position + value.length, context, visitor);
}

/** Everything below an edge whose variable has no value: a match of the rest is UNKNOWN. */
function visitUnresolved<T>(root: Node<T>, text: string, context: RequestContext, visitor: Visitor<T>): void {
  for (const node of subtree(root)) {
    const suffixed = [...(node.suffixes?.values() ?? [])].flatMap((leaves) => [...leaves.values()]);
    for (const leaf of [node.exact, node.open, node.wild, ...suffixed].flat()) {
      if (matchPattern(leaf.tokens, text, context) !== FALSE) visitor.visit(leaf.payload, UNKNOWN);
    }
  }
}
