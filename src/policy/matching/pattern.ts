import type { RequestContext } from '../conditions/context.js';
import { FALSE, TRUE, UNKNOWN, type Tri } from './tri.js';
import { contextKey, type ContextKey } from '../conditions/variables.js';

/** `*`: any text, `/` and nothing included. */
export const ANY = 0;
/** `?`: any one character (code point). */
export const ONE = 1;

/** `${key}` or `${key, 'default'}`. */
export interface Variable {
  readonly key: ContextKey;
  readonly fallback: string | undefined;
}

export type Token = string | typeof ANY | typeof ONE | Variable;
/** A token once variables have been replaced. */
export type PlainToken = Exclude<Token, Variable>;

/** A text of a policy with its wildcards and variables found. Adjacent literals are one token, `**` is one `*`. */
export interface Pattern {
  readonly source: string;
  readonly tokens: readonly Token[];
  readonly variables: readonly Variable[];
}

/** Raised for a text that is no pattern; the message says what was expected. */
export class PatternError extends Error {}

/** How a text of a policy is read: version 2008-10-17 has no variables, StringEquals has no wildcards. */
export interface PatternSyntax {
  readonly wildcards: boolean;
  readonly variables: boolean;
}

/** A stretch with `?` after a `*` is searched for place by place: its length bounds the cost of a match. */
const MAX_STRETCH = 256;
const MAX_VARIABLES = 64;
/** The largest policy that AWS takes has 10,240 characters (inline policies of a role). */
const MAX_LENGTH = 10_240;

/**
 * Reads a text of a policy (IAM, "Policy variables" and "Using wildcards"): `*`, `?`, `${key}`,
 * `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for those characters themselves.
 * @throws PatternError where a `${` is malformed, or where a match would cost more than linear time.
 */
export function parsePattern(source: string, syntax: PatternSyntax): Pattern {
  const tokens: Token[] = [];
  const literal = (text: string): void => {
    const last = tokens.at(-1);
    if (typeof last === 'string') tokens[tokens.length - 1] = last + text;
    else if (text !== '') tokens.push(text);
  };
  if (/\p{Surrogate}/u.test(source)) throw new PatternError('well-formed Unicode text');
  if (source.length > MAX_LENGTH) throw new PatternError(`at most ${MAX_LENGTH} characters`);
  const special = /\$\{|[*?]/g;
  let at = 0;
  for (let found = special.exec(source); found !== null; found = special.exec(source)) {
    if (found[0] === '${' ? !syntax.variables : !syntax.wildcards) continue;
    literal(source.slice(at, found.index));
    at = special.lastIndex;
    if (found[0] === '*') {
      if (tokens.at(-1) !== ANY) tokens.push(ANY);
    } else if (found[0] === '?') {
      tokens.push(ONE);
    } else {
      const [token, end] = parseReference(source, at);
      if (typeof token === 'string') literal(token);
      else tokens.push(token);
      at = special.lastIndex = end;
    }
  }
  literal(source.slice(at));
  checkStretches(tokens);
  const variables = tokens.filter((token) => typeof token === 'object');
  if (variables.length > MAX_VARIABLES) throw new PatternError(`at most ${MAX_VARIABLES} variables in one text`);
  // Copied, because a list that grew keeps room for more, and there are many patterns.
  return { source, tokens: tokens.slice(), variables };
}

/** What follows `${`, up to and with its `}`. */
function parseReference(source: string, start: number): [token: string | Variable, end: number] {
  const rest = source.slice(start, start + 2);
  if (rest === '*}' || rest === '?}' || rest === '$}') return [rest.charAt(0), start + 2];
  const reference = /\s*([^\s,{}'$*?]+)\s*(?:,\s*'([^']*)'\s*)?\}/y;
  reference.lastIndex = start;
  const found = reference.exec(source);
  if (found?.[1] === undefined) throw new PatternError("${key}, ${key, 'default'}, ${*}, ${?} or ${$} after each ${");
  return [{ key: contextKey(found[1]), fallback: found[2] }, reference.lastIndex];
}

function checkStretches(tokens: readonly Token[]): void {
  let length = -Infinity;
  let hasOne = false;
  for (const token of tokens) {
    if (token === ANY) {
      length = 0;
      hasOne = false;
    } else {
      length += typeof token === 'string' ? token.length : 1;
      hasOne ||= token === ONE;
      if (hasOne && length > MAX_STRETCH) {
        throw new PatternError(`at most ${MAX_STRETCH} characters after a * where ? is among them`);
      }
    }
  }
}

/** The value of a variable: nothing where it has none, or several (a list is no text). */
export function valueOf(variable: Variable, context: RequestContext): string | undefined {
  const value = variable.key.resolve(context);
  return typeof value === 'string' ? value : variable.fallback;
}

/**
 * Does the pattern match the text from there to its end? UNKNOWN where it would if variables without a value could be
 * anything. Values of variables are text, never patterns. Time is linear in text and pattern.
 */
export function matchPattern(tokens: readonly Token[], text: string, context: RequestContext, from = 0): Tri {
  let position = from;
  // Texts and variables before the first wildcard; in most patterns nothing follows it.
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index] as Token;
    if (token === ANY && index === tokens.length - 1) return TRUE;
    if (typeof token === 'number') return matchWildcards(tokens, index, text, context, position);
    const literal = typeof token === 'string' ? token : valueOf(token, context);
    if (literal === undefined) return matchWildcards(tokens, index, text, context, position);
    if (!continues(text, literal, position)) return FALSE;
    position += literal.length;
  }
  return position === text.length ? TRUE : FALSE;
}

/** startsWith, which takes longer to be called than to find that the first character differs. */
function continues(text: string, literal: string, position: number): boolean {
  return literal === '' || (text.charCodeAt(position) === literal.charCodeAt(0) && text.startsWith(literal, position));
}

/** The tokens from `first` on, which are not literal any more. */
function matchWildcards(
  tokens: readonly Token[],
  first: number,
  text: string,
  context: RequestContext,
  from: number,
): Tri {
  if (!hasVariable(tokens, first)) {
    return matchTokens(tokens as readonly PlainToken[], text, from, first) ? TRUE : FALSE;
  }
  const { resolved, missing } = resolveTokens(tokens.slice(first), context);
  if (!matchTokens(resolved, text, from)) return FALSE;
  return missing ? UNKNOWN : TRUE;
}

/** Tokens with variables replaced by their values, adjacent literals joined; a variable without a value is `*`. */
export function resolveTokens(
  tokens: readonly Token[],
  context: RequestContext,
): { resolved: readonly PlainToken[]; missing: boolean } {
  if (!hasVariable(tokens, 0)) return { resolved: tokens as PlainToken[], missing: false };
  const resolved: PlainToken[] = [];
  let missing = false;
  for (const token of tokens) {
    const value = typeof token === 'object' ? valueOf(token, context) : token;
    const last = resolved.at(-1);
    if (value === undefined) missing = true;
    if (typeof value === 'string' && typeof last === 'string') resolved[resolved.length - 1] = last + value;
    else if (value !== '') resolved.push(value ?? ANY);
  }
  return { resolved, missing };
}

function hasVariable(tokens: readonly Token[], first: number): boolean {
  for (let index = first; index < tokens.length; index++) if (typeof tokens[index] === 'object') return true;
  return false;
}

/**
 * Two-pointer wildcard match of the text from `from` to its end by the tokens from `first` on: what stands before the
 * first `*` is anchored, each stretch between two `*` is taken at its first place, what stands after the last `*` is
 * matched at the end. Nothing is tried twice.
 */
export function matchTokens(tokens: readonly PlainToken[], text: string, from = 0, first = 0): boolean {
  let index = first;
  let position = from;
  let star = -1;
  let retry = 0;
  for (;;) {
    const token = tokens[index];
    if (token === undefined) {
      if (position === text.length) return true;
    } else if (token === ANY) {
      star = ++index;
      retry = position;
      const next = tokens[star];
      if (next === undefined) return true;
      if (typeof next === 'string') {
        if (star === tokens.length - 1) return text.length - next.length >= position && text.endsWith(next);
        retry = position = find(text, next, position);
        if (position < 0) return false;
      }
      continue;
    } else if (token === ONE) {
      if (position < text.length) {
        position += characterLength(text, position);
        index++;
        continue;
      }
    } else if (text.startsWith(token, position)) {
      position += token.length;
      index++;
      continue;
    }
    if (star < 0 || retry >= text.length) return false;
    const next = tokens[star];
    retry = typeof next === 'string' ? find(text, next, retry + 1) : retry + characterLength(text, retry);
    if (retry < 0) return false;
    position = retry;
    index = star;
  }
}

function characterLength(text: string, position: number): 1 | 2 {
  return (text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1;
}

/** indexOf that is linear for long needles too (Knuth, Morris, Pratt); the engine's own is not in the worst case. */
function find(text: string, needle: string, from: number): number {
  if (needle.length <= 32) return text.indexOf(needle, from);
  const borders = new Int32Array(needle.length);
  for (let at = 1, border = 0; at < needle.length; at++) {
    while (border > 0 && needle.charCodeAt(at) !== needle.charCodeAt(border)) border = borders[border - 1] ?? 0;
    if (needle.charCodeAt(at) === needle.charCodeAt(border)) border++;
    borders[at] = border;
  }
  for (let at = from, matched = 0; at < text.length; at++) {
    while (matched > 0 && text.charCodeAt(at) !== needle.charCodeAt(matched)) matched = borders[matched - 1] ?? 0;
    if (text.charCodeAt(at) === needle.charCodeAt(matched)) matched++;
    if (matched === needle.length) return at - needle.length + 1;
  }
  return -1;
}

/** Is there a text that both patterns match? For patterns without variables. */
export function overlap(one: readonly Token[], other: readonly Token[]): boolean {
  const rows = symbols(one);
  const columns = symbols(other);
  // above[c]: the rows so far and the first c columns can match the same text.
  let above = [true];
  for (const column of columns) above.push(column === ANY && above.at(-1) === true);
  for (const row of rows) {
    const next = [row === ANY && above[0] === true];
    columns.forEach((column, index) => {
      if (row === ANY || column === ANY) next.push(above[index + 1] === true || next[index] === true);
      else next.push((row === ONE || column === ONE || row === column) && above[index] === true);
    });
    above = next;
  }
  return above.at(-1) === true;
}

function symbols(tokens: readonly Token[]): readonly Token[] {
  return tokens.flatMap((token): readonly Token[] => (typeof token === 'string' ? Array.from(token) : [token]));
}
