import { typeOf } from '../actions.js';
import type { Action, Decision } from '../authorizer.js';
import type { Determination } from './compile.js';
import type { RequestContext } from '../conditions/context.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import { searchTopics } from './subscription.js';
import { hasWildcard, isTopicFilter, realFilter } from '../matching/topics.js';
import { unknownsOf } from './unknowns.js';

/** Who asks, with the facts, on one whole policy set. */
export interface PolicyRequest {
  readonly set: PolicySet;
  readonly found: CompiledPrincipal | undefined;
  readonly context: RequestContext;
}

/**
 * How `iot:Receive` bears on a subscription: every topic that the filter matches must be allowed, at least one must be,
 * or it is not asked at all.
 */
export type ReceiveOnSubscribe = 'every' | 'some' | 'off';

export interface SubscribeRules {
  /** Default `every`: the only setting under which no device receives what `iot:Receive` denies. */
  readonly receiveOnSubscribe: ReceiveOnSubscribe;
  /**
   * Whether `sensor/#` matches `sensor`. Default true, as EMQX has it (MQTT 5, section 4.7.1.2). False leaves that one
   * topic out of the decision: policies written for AWS IoT Core, where it does not match, then need no addition.
   */
  readonly hashMatchesParent: boolean;
}

/** `iot:Subscribe` on the filter, then `iot:Receive` on what it matches; a denial is that of the topic that settles it. */
export function decideSubscription(request: PolicyRequest, filter: string, rules: SubscribeRules): Decision {
  const name = realFilter(filter);
  const subscribe = decideName(request, 'iot:Subscribe', name);
  if (subscribe.effect === 'deny' || rules.receiveOnSubscribe === 'off') return subscribe;
  if (!isTopicFilter(name)) return failed(subscribe, 'not a topic filter');
  const receive = hasWildcard(name)
    ? decideMatching(request, name, subscribe, rules)
    : decideName(request, 'iot:Receive', name);
  return receive.effect === 'deny' ? receive : subscribe;
}

/** `iot:Receive` for all topics of a filter at once. */
function decideMatching(request: PolicyRequest, filter: string, subscribe: Decision, rules: SubscribeRules): Decision {
  const { found: principal, context } = request;
  if (principal === undefined) return subscribe;
  const want = rules.receiveOnSubscribe === 'some' ? 'allowed' : 'denied';
  const found = searchTopics(principal.policies, filter, want, rules.hashMatchesParent, context);
  switch (found.kind) {
    case 'all':
      return subscribe;
    case 'none':
      return toDecision(request, 'iot:Receive', request.set.arnOf('iot:Receive', filter), undefined);
    case 'denied':
    case 'allowed':
      return decideName(request, 'iot:Receive', found.topic);
    case 'undecided':
      return failed(subscribe, 'the filter is too complex to decide what it may receive');
  }
}

/** On any resource, given without its ARN prefix. Actions without resource are on `*` (`iot:ListRetainedMessages`). */
export function decideResource(request: PolicyRequest, action: Action, resource: string): Decision {
  const type = typeOf(action);
  if (type !== undefined && resource.startsWith(type)) return decideName(request, action, resource.slice(type.length));
  const arn = type === undefined ? '*' : `${request.set.arnPrefix}${resource}`;
  return toDecision(request, action, arn, request.found?.policies.evaluateResource(action, arn, request.context));
}

/** About a resource of the action's own kind, given by its name alone. */
export function decideName(request: PolicyRequest, action: Action, name: string): Decision {
  return toDecision(
    request,
    action,
    request.set.arnOf(action, name),
    request.found?.policies.evaluate(action, name, request.context),
  );
}

const NO_ERRORS: readonly string[] = Object.freeze([]);

function toDecision(
  { set, found, context }: PolicyRequest,
  action: Action,
  resource: string,
  determination: Determination | undefined,
): Decision {
  const policyVersion = set.version;
  if (found === undefined) {
    return { effect: 'deny', cause: 'noPrincipal', action, resource, policyVersion, errors: NO_ERRORS };
  }
  const principalId = found.principal.name;
  if (determination === undefined) {
    return { effect: 'deny', cause: 'implicitDeny', action, resource, principalId, policyVersion, errors: NO_ERRORS };
  }
  const { statement, cause } = determination;
  const { policy, id } = statement;
  const effect = cause === 'explicitAllow' ? 'allow' : 'deny';
  const errors = cause === 'error' ? unknownsOf(statement, context) : NO_ERRORS;
  return { effect, cause, action, resource, principalId, policy, statement: id, policyVersion, errors };
}

function failed(decision: Decision, error: string): Decision {
  const { action, resource, principalId, policyVersion } = decision;
  const of = { action, resource, ...(principalId && { principalId }), ...(policyVersion && { policyVersion }) };
  return { effect: 'deny', cause: 'error', ...of, errors: [error] };
}
