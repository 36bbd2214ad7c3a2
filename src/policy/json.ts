import type { Reporter } from './problems.js';

export type Json = string | number | boolean | null | Json[] | JsonObject;
export interface JsonObject {
  readonly [name: string]: Json;
}

/** Files over this are refused: reading them would stop everything else for too long. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Parses JSON; what is not JSON is reported, and nothing comes back. */
export function readJson(text: string, report: Reporter): Json | undefined {
  if (text.length > MAX_CHARACTERS) {
    report.expected(`at most ${MAX_CHARACTERS} characters`, text.length);
    return undefined;
  }
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    report.expected(`JSON (${(error as SyntaxError).message})`);
    return undefined;
  }
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
