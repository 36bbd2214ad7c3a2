import { resourceOf, type SampleRequest } from '../../policy/questions/requests.js';

/** A request in one line: what is asked, then who asks. */
export function describeRequest(request: SampleRequest): string {
  const { identity, context } = request;
  const { certificate, ...facts } = identity;
  const given = [...Object.entries({ ...facts, ...certificate }), ...context]
    .filter(([name, value]) => name !== 'protocol' && value !== '')
    .map(([name, value]) => `${name}=${String(value)}`);
  return `${request.action} on ${resourceOf(request)} by ${given.join(' ')}`;
}
