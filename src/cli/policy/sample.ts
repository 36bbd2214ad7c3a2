import { resourceOf, type SampleRequest } from '../../policy/questions/requests.js';

/** A request as JSON has it. */
export function requestToPrint(request: SampleRequest): object {
  const { identity, action, context } = request;
  return { identity, action, resource: resourceOf(request), context: Object.fromEntries(context) };
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
