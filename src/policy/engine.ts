import type { Identity } from '../identity/identity.js';
import { ACTIONS } from './actions.js';
import type { Action, Authorizer, Decision } from './authorizer.js';
import type { Outcome } from './compile.js';
import { RequestContext, type ConnectFacts, type ExtraFacts } from './context.js';
import type { CompiledPrincipal, PolicySet } from './policy-set.js';
import { thingOf } from './principals.js';
import { searchTopics } from './subscription.js';
import { hasWildcard, isTopicFilter, realFilter, realTopic } from './topics.js';
import { unknownsOf } from './unknowns.js';

/**
 * How `iot:Receive` bears on a subscription: every topic that the filter matches must be allowed, at least one must be,
 * or it is not asked at all.
 */
export type ReceiveOnSubscribe = 'every' | 'some' | 'off';

export interface PolicyAuthorizerOptions {
  /** Default `every`: the only setting under which no device receives what `iot:Receive` denies. */
  readonly receiveOnSubscribe?: ReceiveOnSubscribe;
  /**
   * Whether `sensor/#` matches `sensor`. Default true, as EMQX has it (MQTT 5, section 4.7.1.2). False leaves that one
   * topic out of the decision: policies written for AWS IoT Core, where it does not match, then need no addition.
   */
  readonly hashMatchesParent?: boolean;
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

/** Who asks, with the facts, on one whole policy set. */
interface Request {
  readonly set: PolicySet;
  readonly found: CompiledPrincipal | undefined;
  readonly context: RequestContext;
}

/** Decides by the policy set of the moment; every decision sees one whole set. */
export class PolicyAuthorizer implements Authorizer {
  private readonly clock: () => number;
  private readonly receiveOnSubscribe: ReceiveOnSubscribe;
  private readonly hashMatchesParent: boolean;

  /** @param current the policy set in force; asked once a decision */
  constructor(
    private readonly current: () => PolicySet,
    options: PolicyAuthorizerOptions = {},
  ) {
    this.clock = options.clock ?? Date.now;
    this.receiveOnSubscribe = options.receiveOnSubscribe ?? 'every';
    this.hashMatchesParent = options.hashMatchesParent ?? true;
  }

  connect(identity: Identity, facts?: ConnectFacts): Decision {
    return decide(this.request(identity, facts), 'iot:Connect', identity.clientId ?? '');
  }

  publish(identity: Identity, topic: string, options?: { readonly retain?: boolean }): Decision {
    const request = this.request(identity);
    const name = realTopic(topic);
    const publish = decide(request, 'iot:Publish', name);
    if (options?.retain !== true || publish.effect === 'deny') return publish;
    const retain = decide(request, 'iot:RetainPublish', name);
    return retain.effect === 'deny' ? retain : publish;
  }

  subscribe(identity: Identity, filter: string): Decision {
    const request = this.request(identity);
    const name = realFilter(filter);
    const subscribe = decide(request, 'iot:Subscribe', name);
    if (subscribe.effect === 'deny' || this.receiveOnSubscribe === 'off') return subscribe;
    if (!isTopicFilter(name)) return failed(subscribe, 'not a topic filter');
    const receive = hasWildcard(name)
      ? this.receiveMatching(request, name, subscribe)
      : decide(request, 'iot:Receive', name);
    return receive.effect === 'deny' ? receive : subscribe;
  }

  sendDirectMessage(identity: Identity, targetClientId: string, topic: string): Decision {
    return decide(this.request(identity, { topic }), 'iot:SendDirectMessage', targetClientId);
  }

  receiveDirectMessage(identity: Identity, topic: string): Decision {
    return decide(this.request(identity), 'iot:Receive', topic);
  }

  /** @param facts what the request is about beyond the resource: `iot:Topic` and the like */
  decide(identity: Identity, action: Action, resource: string, facts?: ExtraFacts): Decision {
    const request = this.request(identity, facts);
    const kind = ACTIONS[action];
    if (kind !== undefined && resource.startsWith(kind) && resource.charCodeAt(kind.length) === SLASH) {
      return decide(request, action, resource.slice(kind.length + 1));
    }
    const arn = kind === undefined ? '*' : `${request.set.arnPrefix}${resource}`;
    const outcome = request.found?.policies.evaluateResource(action, arn, request.context);
    return toDecision(request, action, arn, outcome);
  }

  private request(identity: Identity, facts?: ExtraFacts): Request {
    const set = this.current();
    const found = set.resolve(identity);
    const principal = found?.principal;
    const thing = principal && thingOf(principal, identity);
    const context = new RequestContext(identity, this.clock, principal?.name, thing, facts);
    return { set, found, context };
  }

  /** `iot:Receive` for all topics of a filter: the decision about the topic that settles it. */
  private receiveMatching(request: Request, filter: string, subscribe: Decision): Decision {
    const { found: principal, context } = request;
    if (principal === undefined) return subscribe;
    const want = this.receiveOnSubscribe === 'some' ? 'allowed' : 'denied';
    const found = searchTopics(principal.policies, filter, want, this.hashMatchesParent, context);
    switch (found.kind) {
      case 'all':
        return subscribe;
      case 'none':
        return toDecision(request, 'iot:Receive', request.set.arnOf('iot:Receive', filter), {});
      case 'denied':
      case 'allowed':
        return decide(request, 'iot:Receive', found.topic);
      case 'undecided':
        return failed(subscribe, 'the filter is too complex to decide what it may receive');
    }
  }
}

const SLASH = 0x2f;

/** About a resource of the action's own kind, given by its name alone. */
function decide(request: Request, action: Action, name: string): Decision {
  return toDecision(
    request,
    action,
    request.set.arnOf(action, name),
    request.found?.policies.evaluate(action, name, request.context),
  );
}

const NO_ERRORS: readonly string[] = Object.freeze([]);

/** An explicit Deny, then a Deny that could not be evaluated, then an Allow; by default deny. */
function toDecision(
  request: Request,
  action: Action,
  resource: string,
  outcome: Partial<Outcome> | undefined,
): Decision {
  if (request.found === undefined || outcome === undefined) {
    return { effect: 'deny', cause: 'noPrincipal', action, resource, errors: NO_ERRORS };
  }
  const principalId = request.found.principal.name;
  const { deny, unknownDeny, allow } = outcome;
  const statement = deny ?? unknownDeny ?? allow;
  if (statement === undefined) {
    return { effect: 'deny', cause: 'implicitDeny', action, resource, principalId, errors: NO_ERRORS };
  }
  const { policy, id } = statement;
  const effect = statement === allow ? 'allow' : 'deny';
  const cause = statement === allow ? 'explicitAllow' : statement === deny ? 'explicitDeny' : 'error';
  const errors = cause === 'error' ? unknownsOf(statement, request.context) : NO_ERRORS;
  return { effect, cause, action, resource, principalId, policy, statement: id, errors };
}

function failed({ action, resource, principalId }: Decision, error: string): Decision {
  return { effect: 'deny', cause: 'error', action, resource, ...(principalId && { principalId }), errors: [error] };
}
