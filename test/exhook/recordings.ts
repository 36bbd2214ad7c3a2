import { readFileSync } from 'node:fs';
import type { CallName } from '../../src/exhook/wire.js';

/** One call of a real EMQX 5.8.9. */
export interface Recorded {
  readonly seq: number;
  readonly method: CallName;
  /** Decoded, with bytes as base64. */
  readonly request: Record<string, unknown>;
  /** The request on the wire, base64. */
  readonly raw: string;
}

function read(file: string): Recorded[] {
  const text = readFileSync(new URL(`../fixtures/${file}`, import.meta.url), 'utf8');
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Recorded);
}

export const ordinaryLife = read('emqx-5.8.9-exhook.jsonl');
export const rareEvents = read('emqx-5.8.9-exhook-2.jsonl');
