import type { Work } from '../work.js';

/** The node without text, where every walk begins. */
export const ROOT = 0;
/** What there is where a text ends at no node, or no child goes on. */
export const NONE = -1;

/** Numbers a node: length of its label, its first child, the text that ends there. */
const STRIDE = 3;
/** Labels of up to so many characters are compared one by one: the built-in takes longer to be called. */
const SHORT = 3;

interface Draft {
  label: string;
  children: Map<number, Draft> | undefined;
  /** Index of the text that ends here. */
  text: number;
}

/**
 * Texts as a radix tree in flat arrays: whoever walks it reads neighbouring memory instead of following one reference
 * after the other, which is what takes the time once a tree is larger than the processor's caches. Nodes are numbered
 * level by level, so that the children of each, ordered by their first characters, are neighbours.
 */
export class RadixTree {
  private constructor(
    /** The children of a node end where those of the next one begin: there is one more at the end. */
    private readonly nodes: Int32Array,
    /** First character of the label, in the direction of the tree, by node. */
    private readonly firsts: Uint16Array,
    /** Labels as they stand in the texts. */
    private readonly labels: readonly string[],
    /** 1 to read texts from their beginning, -1 from their end. */
    private readonly step: 1 | -1,
  ) {}

  /** @param texts no two the same. @param direction from where the tree reads them */
  static *of(texts: Iterable<string>, direction: 'forwards' | 'backwards'): Work<RadixTree> {
    const root: Draft = { label: '', children: undefined, text: NONE };
    let index = 0;
    for (const text of texts) {
      insert(root, turned(text, direction)).text = index++;
      yield;
    }
    const drafts = yield* byLevel(root);
    const nodes = new Int32Array((drafts.length + 1) * STRIDE);
    const firsts = new Uint16Array(drafts.length);
    const labels: string[] = [];
    let child = 1;
    for (const [node, { label, children, text }] of drafts.entries()) {
      nodes.set([label.length, child, text], node * STRIDE);
      if (label !== '') firsts[node] = label.charCodeAt(0);
      child += children?.size ?? 0;
      labels.push(flat(turned(label, direction)));
      yield;
    }
    nodes.set([0, child], drafts.length * STRIDE);
    return new RadixTree(nodes, firsts, labels, direction === 'forwards' ? 1 : -1);
  }

  /** Index of the text that ends at the node. */
  text(node: number): number {
    return this.nodes[node * STRIDE + 2] as number;
  }

  /** Length of the node's label. */
  length(node: number): number {
    return this.nodes[node * STRIDE] as number;
  }

  /**
   * The child whose label stands in the text, read in the tree's direction from a place on.
   * @param at place of the first character to read
   * @param left how many characters are left from there
   */
  child(node: number, text: string, at: number, left: number): number {
    if (left <= 0) return NONE;
    const child = this.childBy(node, text.charCodeAt(at));
    if (child === NONE) return NONE;
    const length = this.length(child);
    if (length === 1) return child;
    if (length > left) return NONE;
    const start = this.step === 1 ? at : at - length + 1;
    return stands(this.labels[child] as string, text, start) ? child : NONE;
  }

  private childBy(node: number, character: number): number {
    const { nodes, firsts } = this;
    let low = nodes[node * STRIDE + 1] as number;
    let high = nodes[node * STRIDE + 1 + STRIDE] as number;
    if (low === high) return NONE;
    // Where the characters are without gaps, as digits often are, this is already it.
    const guess = low + character - (firsts[low] as number);
    if (guess >= low && guess < high && firsts[guess] === character) return guess;
    while (low < high) {
      const middle = (low + high) >> 1;
      const found = firsts[middle] as number;
      if (found === character) return middle;
      if (found < character) low = middle + 1;
      else high = middle;
    }
    return NONE;
  }
}

function turned(text: string, direction: 'forwards' | 'backwards'): string {
  return direction === 'forwards' ? text : text.split('').reverse().join('');
}

function stands(label: string, text: string, start: number): boolean {
  if (label.length > SHORT) return text.startsWith(label, start);
  for (let at = 0; at < label.length; at++) {
    if (text.charCodeAt(start + at) !== label.charCodeAt(at)) return false;
  }
  return true;
}

/** A text of its own: what slice returns refers to the text it was cut from, and its characters take longer to reach. */
function flat(text: string): string {
  return text.split('').join('');
}

/** The node where the text ends. */
function insert(root: Draft, whole: string): Draft {
  let node = root;
  for (let text = whole; text !== '';) {
    const first = text.charCodeAt(0);
    const children = (node.children ??= new Map<number, Draft>());
    let child = children.get(first);
    if (child === undefined) {
      child = { label: text, children: undefined, text: NONE };
      children.set(first, child);
      return child;
    }
    const common = commonLength(text, child.label);
    if (common < child.label.length) {
      const middle: Draft = { label: text.slice(0, common), children: undefined, text: NONE };
      children.set(first, middle);
      child.label = child.label.slice(common);
      middle.children = new Map([[child.label.charCodeAt(0), child]]);
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

function* byLevel(root: Draft): Work<readonly Draft[]> {
  const drafts = [root];
  // The list grows while it is walked.
  for (const { children } of drafts) {
    if (children === undefined) continue;
    for (const [, child] of [...children].sort(([one], [other]) => one - other)) drafts.push(child);
    yield;
  }
  return drafts;
}
