import type { Explanation } from '../../policy/questions/explain.js';
import { print } from './folder.js';

export function printExplanation({ decision, statements }: Explanation, indent = ''): void {
  const { effect, cause, action, resource, principalId, policy, statement, errors } = decision;
  print(`${indent}${effect} (${cause}) ${action} on ${resource} for ${principalId ?? 'nobody'}`);
  if (policy !== undefined) print(`${indent}decided by ${policy}/${statement ?? ''}`);
  for (const error of errors) print(`${indent}error: ${error}`);
  for (const { policy: name, statement: id, effect: kind, matched, because } of statements) {
    const reasons = because.length === 0 ? '' : `: ${because.join('; ')}`;
    print(`${indent}  ${name}/${id} (${kind}) ${MATCHED[matched]}${reasons}`);
  }
}

const MATCHED = { yes: 'matches', no: 'does not match', unknown: 'cannot be evaluated' } as const;
