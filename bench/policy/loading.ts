import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadPolicySet } from '../../src/policy/policy-set.js';

const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '123456789012' };
const POLICY = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'iot:Connect', Resource: '*' }] };

export interface Loading {
  readonly milliseconds: number;
  /** The longest turn of the event loop meanwhile, in milliseconds: that long a hook call may have waited. */
  readonly longestTurn: number;
}

/** Loads a folder with so many principals, as a running service does. */
export async function load(principals: number, kind: 'texts' | 'patterns'): Promise<Loading> {
  const folder = await mkdtemp(join(tmpdir(), 'tightbeam-bench-'));
  try {
    const declared = Array.from({ length: principals }, (_, index) => {
      const username = kind === 'texts' ? `lock-${index}` : `lock-${index}-*`;
      return [`lock-${index}`, { match: { username }, policies: ['device'] }] as const;
    });
    await writeFile(join(folder, 'principals.json'), JSON.stringify({ principals: Object.fromEntries(declared) }));
    await writeFile(join(folder, 'device.json'), JSON.stringify(POLICY));
    return await measured(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measured(folder: string): Promise<Loading> {
  const start = performance.now();
  let last = start;
  let longestTurn = 0;
  let next: NodeJS.Immediate;
  const turn = (): void => {
    const now = performance.now();
    longestTurn = Math.max(longestTurn, now - last);
    last = now;
    next = setImmediate(turn);
  };
  next = setImmediate(turn);
  await loadPolicySet(folder, SCOPE);
  clearImmediate(next);
  return { milliseconds: performance.now() - start, longestTurn: Math.max(longestTurn, performance.now() - last) };
}
