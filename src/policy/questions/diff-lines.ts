/** A diff in lines of text. */
import type { PolicyChange, PolicyDiff } from './diff.js';
import { resourceOf, type SampleRequest } from './requests.js';

export const SAME = 'no change in meaning';

/** One line a change, and one for whatever was not made out; with neither, that nothing changes. */
export function toLines({ changes, unclear }: PolicyDiff): readonly string[] {
  if (changes.length === 0 && unclear.length === 0) return [SAME];
  return [
    ...changes.map((change) => `${TITLES[change.effect]} for ${change.principal}: ${describeChange(change)}`),
    ...unclear.map(({ principal, action, reasons }) => {
      return `not made out for ${principal}: whether ${action} changes further, because of ${reasons.join('; ')}`;
    }),
  ];
}

export const TITLES = { allow: 'newly allowed', deny: 'newly denied' } as const;

function describeChange({ request, before, after }: PolicyChange): string {
  return `${describeRequest(request)} (${causeOf(before)}, then ${causeOf(after)})`;
}

export function causeOf({ cause, policy, statement }: PolicyChange['before']): string {
  return policy === undefined ? cause : `${cause} ${policy}/${statement ?? ''}`;
}

/** A request in one line: what is asked, then who asks. */
export function describeRequest(request: SampleRequest): string {
  const { identity, context } = request;
  const { certificate, ...facts } = identity;
  const given = [...Object.entries({ ...facts, ...certificate }), ...context]
    .filter(([name, value]) => name !== 'protocol' && value !== '')
    .map(([name, value]) => `${name}=${String(value)}`);
  return `${request.action} on ${resourceOf(request)} by ${given.join(' ')}`;
}
