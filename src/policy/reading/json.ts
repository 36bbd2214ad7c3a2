import { scanJson, type JsonScan, type Member, type Steps } from './json-scanner.js';
import type { Reporter } from './problems.js';
import { finish, type Work } from '../work.js';

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Files over this are refused: reading them would stop everything else for too long. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** More names that stand twice than this would be a long list, and say no more. */
const MAX_DUPLICATES = 20;

/** What the statement or principal is called to which an element belongs; `root` is nothing where it is no JSON. */
export type NameOf = (steps: Steps, root: Json | undefined) => string | undefined;

/**
 * Parses JSON; what is not JSON is reported with its place, and nothing comes back. An object that has a name twice is
 * reported too: whoever reads it might take the first one for what counts.
 */
export function readJson(text: string, report: Reporter, nameOf?: NameOf): Json | undefined {
  if (isTooLong(text, report)) return undefined;
  const scan = finish(scanJson(text, MAX_DUPLICATES));
  const root = scan.fault === undefined ? (JSON.parse(text) as Json) : undefined;
  reportScan(scan, text, report, (steps) => nameOf?.(steps, root));
  return root;
}

/** A text that has a large object in its root. */
export interface LargeJson {
  /** All but the elements of the large object. */
  readonly root: Json;
  readonly members: readonly Member[];
}

/**
 * Reads a text whose elements are named and many, which JSON.parse would not read in pieces.
 * @param large the name of the object that has them
 */
export function* readLargeJson(text: string, report: Reporter, large: string): Work<LargeJson | undefined> {
  if (isTooLong(text, report)) return undefined;
  const scan = yield* scanJson(text, MAX_DUPLICATES, large);
  reportScan(scan, text, report, ([, name]) => name?.toString());
  if (scan.fault !== undefined) return undefined;
  const { members = [] } = scan;
  const start = members[0]?.start ?? 0;
  const end = members.at(-1)?.end ?? 0;
  const root = JSON.parse(start === end ? text : `${text.slice(0, start)}{}${text.slice(end)}`) as Json;
  return { root, members };
}

/** The value of an element; a copy, so that nothing of it keeps the whole text in memory. */
export function memberOf(text: string, { start, end }: Member): Json {
  return JSON.parse(text.slice(start, end)) as Json;
}

function isTooLong(text: string, report: Reporter): boolean {
  if (text.length <= MAX_CHARACTERS) return false;
  report.expected(`at most ${MAX_CHARACTERS} characters`, text.length);
  return true;
}

function reportScan(
  { fault, duplicates }: JsonScan,
  text: string,
  report: Reporter,
  nameOf: (steps: Steps) => string | undefined,
): void {
  const at = (steps: Steps): Reporter => {
    const name = nameOf(steps);
    const start = name === undefined ? report : report.named(name);
    return steps.reduce<Reporter>((reporter, step) => reporter.at(step), start);
  };
  for (const { steps, name, at: offset } of duplicates) {
    at(steps).expected(`each element once, found ${JSON.stringify(name)} again at ${lineOf(text, offset)}`);
  }
  if (fault !== undefined) {
    at(fault.steps).expected(`${fault.expected}, found ${characterAt(text, fault.at)} at ${lineOf(text, fault.at)}`);
  }
}

function characterAt(text: string, at: number): string {
  if (at >= text.length) return 'the end of the file';
  if (text.charCodeAt(at) === 0xfeff) return 'a byte order mark';
  return JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0));
}

function lineOf(text: string, at: number): string {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf('\n'); end >= 0 && end < at; end = text.indexOf('\n', start)) {
    line++;
    start = end + 1;
  }
  return `line ${line}, column ${at - start + 1}`;
}

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Reports every element of the object that is not one of the names. */
export function reportUnknown(object: JsonObject, names: readonly string[], report: Reporter): void {
  for (const name of Object.keys(object)) {
    if (!names.includes(name)) report.at(name).expected(`one of the elements ${names.join(', ')}, found this one`);
  }
}
