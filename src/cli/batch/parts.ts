import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { Journal } from './journal.js';

/** Lines that go in one request, and where in the file each stands. */
export interface Part {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly lines: readonly number[];
}

/** A signed request is read whole before its first line is sent: small ones keep all sides busy. */
const PART_BYTES = 2 * 1024 * 1024;
const PART_LINES = 20_000;

/**
 * The lines of a batch in requests, without those that are settled. A line without an identity gets one, so that it can be
 * sent again without being delivered twice.
 */
export async function* partsOf(input: Readable, journal: Pick<Journal, 'batch' | 'settled'>): AsyncGenerator<Part> {
  let texts: string[] = [];
  let lines: number[] = [];
  let bytes = 0;
  let number = 0;
  const part = (): Part => {
    const body = new TextEncoder().encode(texts.join('\n'));
    const done = { body, lines };
    texts = [];
    lines = [];
    bytes = 0;
    return done;
  };
  for await (const raw of createInterface({ input, crlfDelay: Infinity })) {
    number += 1;
    if (raw.trim() === '') continue;
    const { key, text } = withIdentity(raw, `${journal.batch}-${number}`);
    if (key !== undefined && journal.settled.has(key)) continue;
    texts.push(text);
    lines.push(number);
    bytes += Buffer.byteLength(text) + 1;
    if (bytes >= PART_BYTES || lines.length >= PART_LINES) yield part();
  }
  if (lines.length > 0) yield part();
}

/** What is no message is left as it is: the service says what is wrong with it. */
function withIdentity(text: string, made: string): { readonly text: string; readonly key?: string | undefined } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { text };
    const { idempotencyKey: key } = value as { readonly idempotencyKey?: unknown };
    if (key !== undefined) return { text, key: typeof key === 'string' ? key : undefined };
    // In front, and the rest untouched: a name that stands there twice is still told.
    const inner = text.trim().slice(1);
    const comma = /^\s*\}/.test(inner) ? '' : ',';
    return { text: `{"idempotencyKey":${JSON.stringify(made)}${comma}${inner}`, key: made };
  } catch {
    return { text };
  }
}
