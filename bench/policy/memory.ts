import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildPolicySet } from '../../src/policy/policy-set.js';
import { statementsOf } from './workload.js';

/** Memory taken by so many principals, in MB: heap and array buffers. Each has a policy of 10 statements: its own, or one that all share. */
export function memoryOf(principals: number, policy: 'own' | 'shared'): number {
  const names = Array.from({ length: principals }, (_, index) => `device-${index}`);
  const text = JSON.stringify({ Version: '2012-10-17', Statement: statementsOf(10) });
  const policies = new Map(
    policy === 'shared'
      ? [['shared.json', text]]
      : names.map((name) => [`${name}.json`, text.replaceAll('topic/', `topic/${name}/`)]),
  );
  const declared = names.map((name) => {
    return [name, { match: { username: name }, policies: [policy === 'shared' ? 'shared' : name] }] as const;
  });
  const files = { policies, principals: JSON.stringify({ principals: Object.fromEntries(declared) }) };
  const before = memoryInUse();
  const set = buildPolicySet(files, { partition: 'aws', region: 'us-east-1', accountId: '123456789012' });
  const taken = memoryInUse() - before;
  if (set.principals.all.length !== principals) throw new Error('not all principals were loaded');
  return taken / 2 ** 20;
}

function memoryInUse(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed: heap, arrayBuffers } = process.memoryUsage();
  return heap + arrayBuffers;
}
