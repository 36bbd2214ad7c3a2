import type { RequestContext } from '../conditions/context.js';
import {
  matchPattern,
  matchTokens,
  parsePattern,
  PatternError,
  type PlainToken,
  type Token,
  type Variable,
} from './pattern.js';
import { residualsAfter } from './residuals.js';
import { FALSE, type Tri } from './tri.js';

/**
 * A Resource or NotResource: an ARN with wildcards, or `*`. Partition, service, region and account, and the word before
 * them, are each matched on their own: a wildcard in one of them never reaches past its colon (IAM, "Resource element").
 */
export interface ResourcePattern {
  /** As written. */
  readonly source: string;
  /** The parts before the one that `tokens` begin with: five, or fewer where a `*` at the end stands for the missing ones. */
  readonly scope: readonly (readonly PlainToken[])[];
  /** The rest. */
  readonly tokens: readonly Token[];
  readonly variables: readonly Variable[];
}

/** Parts of an ARN before its resource: `arn:partition:service:region:account-id:resource`. */
const SCOPE_PARTS = 5;

/**
 * Reads a Resource or NotResource.
 * @param variables whether the version of the policy has them
 * @throws PatternError where the text is neither `*` nor an ARN, or has a variable before its fifth colon
 */
export function parseResource(source: string, variables: boolean): ResourcePattern {
  const parts = source.split(':');
  const short = parts.length <= SCOPE_PARTS;
  if (source !== '*' && (parts[0] !== 'arn' || (short && !/^[^*?]*\*$/.test(parts.at(-1) ?? '')))) {
    throw new PatternError('an ARN like arn:aws:iot:us-east-1:123456789012:topic/name, or *');
  }
  const scope = parts.slice(0, short ? -1 : SCOPE_PARTS);
  if (variables && scope.some((part) => part.includes('${'))) {
    throw new PatternError('no policy variable before the fifth colon');
  }
  const rest = parts.slice(scope.length).join(':');
  const pattern = parsePattern(rest, { wildcards: true, variables });
  return {
    source,
    scope: scope.map((part) => parsePattern(part, { wildcards: true, variables: false }).tokens as PlainToken[]),
    tokens: pattern.tokens,
    variables: pattern.variables,
  };
}

/** Where in the ARN the part begins that the tokens are about; -1 where what stands before is another's. */
export function scopeEnd({ scope }: ResourcePattern, arn: string): number {
  let at = 0;
  for (const tokens of scope) {
    const colon = arn.indexOf(':', at);
    if (colon < 0 || !matchTokens(tokens, arn.slice(at, colon))) return -1;
    at = colon + 1;
  }
  return at;
}

/** Does the pattern match the ARN? UNKNOWN where it would if variables without a value could be anything. */
export function matchArn(resource: ResourcePattern, arn: string, context: RequestContext): Tri {
  const from = scopeEnd(resource, arn);
  return from < 0 ? FALSE : matchPattern(resource.tokens, arn, context, from);
}

/** What is left of the pattern behind `beginning`, with which every resource of a kind begins: see `residualsAfter`. */
export function residualsOf(
  resource: ResourcePattern,
  beginning: string,
  limit?: number,
): readonly (readonly Token[])[] | undefined {
  const from = scopeEnd(resource, beginning);
  return from < 0 ? [] : residualsAfter(resource.tokens, beginning.slice(from), limit);
}
