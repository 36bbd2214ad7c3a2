import type { Identity } from '../../identity/identity.js';
import type { Action, Authorizer, Decision } from '../authorizer.js';
import { CONNECT_UNTOLD, RequestContext, type ConnectFacts, type ExtraFacts } from '../conditions/context.js';
import { decideName, decideResource, decideSubscription, type PolicyRequest, type SubscribeRules } from './decision.js';
import type { PolicySet } from '../policy-set.js';
import { realTopic } from '../matching/topics.js';

export interface PolicyAuthorizerOptions extends Partial<SubscribeRules> {
  /** Milliseconds since the epoch. */
  readonly clock?: () => number;
}

/** Decides by the policy set of the moment; every decision sees one whole set. */
export class PolicyAuthorizer implements Authorizer {
  private readonly clock: () => number;
  private readonly subscribeRules: SubscribeRules;

  /** @param current the policy set in force; asked once a decision */
  constructor(
    private readonly current: () => PolicySet,
    options: PolicyAuthorizerOptions = {},
  ) {
    this.clock = options.clock ?? Date.now;
    const { receiveOnSubscribe = 'every', hashMatchesParent = true } = options;
    this.subscribeRules = { receiveOnSubscribe, hashMatchesParent };
  }

  connect(identity: Identity, facts?: ConnectFacts): Decision {
    return decideName(this.request(identity, facts ?? CONNECT_UNTOLD), 'iot:Connect', identity.clientId ?? '');
  }

  publish(identity: Identity, topic: string, options?: { readonly retain?: boolean }): Decision {
    const request = this.request(identity);
    const name = realTopic(topic);
    const publish = decideName(request, 'iot:Publish', name);
    if (options?.retain !== true || publish.effect === 'deny') return publish;
    const retain = decideName(request, 'iot:RetainPublish', name);
    return retain.effect === 'deny' ? retain : publish;
  }

  subscribe(identity: Identity, filter: string): Decision {
    return decideSubscription(this.request(identity), filter, this.subscribeRules);
  }

  sendDirectMessage(identity: Identity, targetClientId: string, topic: string): Decision {
    return decideName(this.request(identity, { topic }), 'iot:SendDirectMessage', targetClientId);
  }

  receiveDirectMessage(identity: Identity, topic: string): Decision {
    return decideName(this.request(identity), 'iot:Receive', topic);
  }

  /** @param facts what the request is about beyond the resource: `iot:Topic` and the like */
  decide(identity: Identity, action: Action, resource: string, facts?: ExtraFacts): Decision {
    const told = facts ?? (action === 'iot:Connect' ? CONNECT_UNTOLD : undefined);
    return decideResource(this.request(identity, told), action, resource);
  }

  private request(identity: Identity, facts?: ExtraFacts): PolicyRequest {
    const set = this.current();
    const found = set.resolve(identity);
    const context = new RequestContext(identity, this.clock, found?.principal, facts);
    return { set, found, context };
  }
}
