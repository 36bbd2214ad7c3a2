import { readFileSync } from 'node:fs';

/** Real EMQX whose management API was recorded: the one before 5.9, the other after. */
export const RECORDED = ['5.8.9', '6.2.0'] as const;
export type Recorded = (typeof RECORDED)[number];

/** One call and its answer. */
export interface Call {
  readonly note: string;
  readonly method: string;
  readonly path: string;
  readonly status: number;
  readonly response: unknown;
}

/** The calls that both recordings have, by what was asked: method, path and, where it came more than once, the note. */
const CALLS = {
  nodes: {
    '5.8.9': ['GET /nodes', 'nodes'],
    '6.2.0': ['GET /nodes', ''],
  },
  'authorization settings': {
    '5.8.9': ['GET /authorization/settings', 'authorization settings'],
    '6.2.0': ['GET /authorization/settings', ''],
  },
  'authorization sources': {
    '5.8.9': ['GET /authorization/sources', 'authorization sources'],
    '6.2.0': ['GET /authorization/sources', 'as EMQX ships it'],
  },
  'no authenticator': {
    '5.8.9': ['GET /authentication', 'authentication chain'],
    '6.2.0': ['GET /authentication', ''],
  },
  'no plugin': {
    '5.8.9': ['GET /plugins', 'plugins'],
    '6.2.0': ['GET /plugins', 'none'],
  },
  'an ExHook server that EMQX cannot reach': {
    '5.8.9': ['POST /exhooks', 'add an exhook server'],
    '6.2.0': ['POST /exhooks', 'an address that nobody answers'],
  },
  'an ExHook server removed': {
    '5.8.9': ['DELETE /exhooks/tightbeam', 'delete an exhook server'],
    '6.2.0': ['DELETE /exhooks/second', ''],
  },
  'an ExHook server removed that is not there': {
    '5.8.9': ['DELETE /exhooks/tightbeam', 'delete it again'],
    '6.2.0': ['DELETE /exhooks/second', 'again'],
  },
  'a key refused': {
    '5.8.9': ['GET /clients', 'bad API key'],
    '6.2.0': ['GET /clients', 'no key'],
  },
} as const satisfies Record<string, Record<Recorded, readonly [call: string, note: string]>>;

const recordings = new Map(
  RECORDED.map((version) => [
    version,
    JSON.parse(
      readFileSync(new URL(`../../fixtures/emqx-${version}-rest.json`, import.meta.url), 'utf8'),
    ) as readonly Call[],
  ]),
);

/** What a real EMQX of this version answered. */
export function recorded(version: Recorded, what: keyof typeof CALLS): Call {
  const [call, note] = CALLS[what][version];
  return recordedCall(version, call, note);
}

/** The same, of a call that only this version's recording has. */
export function recordedCall(version: Recorded, call: string, note: string): Call {
  const found = recordings
    .get(version)
    ?.find((entry) => `${entry.method} ${entry.path.replace('/api/v5', '')}` === call && entry.note === note);
  if (found === undefined) throw new Error(`no recording of ${call} (${note}) by EMQX ${version}`);
  return structuredClone(found);
}
