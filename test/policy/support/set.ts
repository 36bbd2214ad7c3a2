import { PolicyAuthorizer, type PolicyAuthorizerOptions } from '../../../src/policy/deciding/engine.js';
import { buildPolicySet, type PolicySet } from '../../../src/policy/policy-set.js';

export const SCOPE = { partition: 'aws', region: 'us-east-1', accountId: '123456789012' };
export const ARN = 'arn:aws:iot:us-east-1:123456789012:';

/** A set of policies given as JSON values, all attached to the one principal `everyone` unless principals are given. */
export function setOf(policies: Readonly<Record<string, unknown>>, principals?: unknown): PolicySet {
  const everyone = { principals: { everyone: { match: { username: '*' }, policies: Object.keys(policies) } } };
  return buildPolicySet(
    {
      policies: new Map(Object.entries(policies).map(([name, policy]) => [`${name}.json`, JSON.stringify(policy)])),
      principals: JSON.stringify(principals ?? everyone),
    },
    SCOPE,
  );
}

export function authorizerOf(
  policies: Readonly<Record<string, unknown>>,
  options?: PolicyAuthorizerOptions,
  principals?: unknown,
): PolicyAuthorizer {
  const set = setOf(policies, principals);
  return new PolicyAuthorizer(() => set, options);
}

/** A policy of the current version. */
export function policy(...statements: readonly object[]): object {
  return { Version: '2012-10-17', Statement: statements };
}
