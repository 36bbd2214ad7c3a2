import type { Identity } from '../identity/identity.js';
import { ACTIONS } from './actions.js';
import type { Action, Authorizer, Decision } from './authorizer.js';
import { arnPrefix, type Outcome } from './compile.js';
import { RequestContext, type ConnectFacts, type RequestFacts } from './context.js';
import type { PolicySet, ResolvedPrincipal } from './policy-set.js';
import { realFilter, realTopic } from './topics.js';

/** Facts of the request beyond identity and resource. */
export type ExtraFacts = Omit<RequestFacts, 'identity' | 'principal' | 'thing'>;

export interface PolicyAuthorizerOptions {
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

/** Decides by the policy set of the moment; every decision sees one whole set. */
export class PolicyAuthorizer implements Authorizer {
  private readonly clock: () => number;

  /** @param current the policy set in force; asked once a decision */
  constructor(
    private readonly current: () => PolicySet,
    options: PolicyAuthorizerOptions = {},
  ) {
    this.clock = options.clock ?? Date.now;
  }

  connect(identity: Identity, facts: ConnectFacts = {}): Decision {
    return this.ask(identity, 'iot:Connect', identity.clientId ?? '', facts);
  }

  publish(identity: Identity, topic: string, options: { readonly retain?: boolean } = {}): Decision {
    const name = realTopic(topic);
    const publish = this.ask(identity, 'iot:Publish', name);
    if (options.retain !== true || publish.effect === 'deny') return publish;
    const retain = this.ask(identity, 'iot:RetainPublish', name);
    return retain.effect === 'deny' ? retain : publish;
  }

  subscribe(identity: Identity, filter: string): Decision {
    return this.ask(identity, 'iot:Subscribe', realFilter(filter));
  }

  sendDirectMessage(identity: Identity, targetClientId: string, topic: string): Decision {
    return this.ask(identity, 'iot:SendDirectMessage', targetClientId, { topic });
  }

  receiveDirectMessage(identity: Identity, topic: string): Decision {
    return this.ask(identity, 'iot:Receive', topic);
  }

  decide(identity: Identity, action: Action, resource: string, facts: ExtraFacts = {}): Decision {
    const kind = ACTIONS[action];
    if (kind !== undefined && resource.startsWith(`${kind}/`)) {
      return this.ask(identity, action, resource.slice(kind.length + 1), facts);
    }
    const set = this.current();
    const principal = set.resolve(identity);
    const arn = kind === undefined ? '*' : `${arnPrefix(set.scope)}${resource}`;
    if (principal === undefined) return unknownPrincipal(action, arn);
    const context = this.context(identity, principal, facts);
    return toDecision(action, arn, principal.name, principal.policies.evaluateResource(action, arn, context));
  }

  /** On a resource of the action's own kind, given by its name alone. */
  private ask(identity: Identity, action: Action, name: string, facts: ExtraFacts = {}): Decision {
    const set = this.current();
    const principal = set.resolve(identity);
    const arn = `${arnPrefix(set.scope)}${ACTIONS[action] ?? ''}/${name}`;
    if (principal === undefined) return unknownPrincipal(action, arn);
    const context = this.context(identity, principal, facts);
    return toDecision(action, arn, principal.name, principal.policies.evaluate(action, name, context));
  }

  private context(identity: Identity, principal: ResolvedPrincipal, facts: ExtraFacts): RequestContext {
    const { name, thing } = principal;
    return new RequestContext({ ...facts, identity, principal: name, ...(thing && { thing }) }, this.clock);
  }
}

const NO_ERRORS: readonly string[] = Object.freeze([]);

function unknownPrincipal(action: Action, resource: string): Decision {
  return { effect: 'deny', cause: 'noPrincipal', action, resource, errors: NO_ERRORS };
}

/** An explicit Deny, then a Deny that could not be evaluated, then an Allow; by default deny. */
function toDecision(action: Action, resource: string, principalId: string, outcome: Outcome): Decision {
  const { deny, unknownDeny, allow } = outcome;
  const statement = deny ?? unknownDeny ?? allow;
  if (statement === undefined) {
    return { effect: 'deny', cause: 'implicitDeny', action, resource, principalId, errors: NO_ERRORS };
  }
  return {
    effect: statement === allow ? 'allow' : 'deny',
    cause: statement === deny ? 'explicitDeny' : statement === allow ? 'explicitAllow' : 'error',
    action,
    resource,
    principalId,
    policy: statement.policy,
    statement: statement.id,
    errors: statement === unknownDeny ? [`Deny ${statement.policy}/${statement.id} cannot be evaluated`] : NO_ERRORS,
  };
}
