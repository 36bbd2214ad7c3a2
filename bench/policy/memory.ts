import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { buildPolicySet } from '../../src/policy/policy-set.js';
import { statementsOf } from './workload.js';

/** Heap taken by so many principals, each with a policy of its own: the worst case, for shared policies are held once. */
export function memoryOf(principals: number): { principals: number; megabytes: number } {
  const names = Array.from({ length: principals }, (_, index) => `device-${index}`);
  const policies = new Map(
    names.map((name) => [
      `${name}.json`,
      JSON.stringify({ Version: '2012-10-17', Statement: statementsOf(10) }).replaceAll('topic/', `topic/${name}/`),
    ]),
  );
  const declared = names.map((name) => [name, { match: { username: name }, policies: [name] }] as const);
  const files = { policies, principals: JSON.stringify({ principals: Object.fromEntries(declared) }) };
  const before = heapUsed();
  const set = buildPolicySet(files, { partition: 'aws', region: 'us-east-1', accountId: '123456789012' });
  const megabytes = (heapUsed() - before) / 2 ** 20;
  return { principals: set.principals.all.length, megabytes };
}

function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}
