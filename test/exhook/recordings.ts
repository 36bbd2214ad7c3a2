import { readFileSync } from 'node:fs';
import type { Generation } from '../../src/exhook/protocol.js';
import type { CallName } from '../../src/exhook/wire.js';

/** One call of a real EMQX. */
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

/** What was recorded of each version, with the generation of ExHook that it speaks. */
export const versions: readonly { version: string; generation: Generation; calls: readonly Recorded[] }[] = [
  { version: '5.8.9', generation: 'v2', calls: [...ordinaryLife, ...rareEvents] },
  { version: '6.2.0', generation: 'v3', calls: read('emqx-6.2.0-exhook.jsonl') },
];
