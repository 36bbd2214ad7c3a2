import { isUnderDirect } from '../direct/topic.js';
import type { PresentedCredentials } from '../identity/authenticator.js';
import type { Identity } from '../identity/identity.js';
import type { ActionEvent } from '../observing/events.js';
import type { ConnectFacts } from '../policy/conditions/context.js';
import { isGuardedTopic, settle } from './enforcement.js';
import { isService, type ClientContext } from './context.js';
import { isLifecycleTopic, NO_CLIENT_PUBLISHES } from './reserved.js';
import type { Allowed, OfClient, Refused, Verdict } from './verdict.js';

/** What a CONNECT asks for beyond being let in. */
export interface ConnectTerms {
  /** The session outlives the connection: no clean start, or an expiry above 0. */
  readonly persistent: boolean;
  /** Absent where the CONNECT has none; untold: the broker will tell when it has let the client in (`mayKeepWill`). */
  readonly will?: Will | 'untold' | undefined;
  /** Host name of the TLS server name indication; absent where the client named none. */
  readonly serverName?: string | undefined;
  /** The broker does not tell of the server name. */
  readonly serverNameUntold?: true;
}

export interface Will {
  readonly topicName: string;
  readonly retain: boolean;
}

export interface ConnectRequest {
  readonly claim: PresentedCredentials;
  /** Absent where the broker tells none of it: then no condition on it holds, and each denies. */
  readonly terms?: ConnectTerms | undefined;
  /** Whether the connection is TLS; absent where the broker does not tell. */
  readonly secureTransport?: boolean | undefined;
  readonly traceId?: string | undefined;
}

/** Who is let in, as later requests are to name it. */
export interface Admitted extends Allowed {
  readonly identity: Identity;
  readonly isService: boolean;
  /** Only while its will, which nobody has told, is found to be allowed. */
  readonly onApproval?: true;
}

/**
 * A client is admitted where the authenticator knows who it is and a policy lets it connect with this client ID; where it
 * tells a will, a policy must let it publish that too, for when the broker does so nobody can be asked.
 *
 * Rejects where the authenticator does: then the client is refused.
 */
export async function mayConnect(request: ConnectRequest, context: ClientContext): Promise<Admitted | Refused> {
  const { claim, terms, secureTransport } = request;
  const authentication = await context.authenticator.authenticate(claim);
  if (!authentication.ok) {
    const { clientId, sourceIp, sourcePort } = claim;
    // Neither username nor certificate: who it is has just not been established.
    const identity: Identity = { protocol: 'MQTT', clientId, sourceIp, sourcePort };
    return refuse({ identity, ...authentication, traceId: request.traceId }, context);
  }

  const identity: Identity = {
    ...authentication.identity,
    ...(secureTransport === undefined ? {} : { secureTransport }),
  };
  if (isService(identity, context)) return { allowed: true, identity, isService: true };
  const asked = { identity, terms, traceId: request.traceId };
  const verdict = terms?.will === 'untold' ? mayConnectUnlessWill(asked, context) : mayHaveTerms(asked, context);
  return verdict.allowed ? { ...verdict, identity, isService: false } : { ...verdict, provenIdentity: identity };
}

interface Asked extends OfClient {
  readonly terms: ConnectTerms | undefined;
}

/**
 * May the client, which is connected already, have the will that it turns out to have, or none? Otherwise its connection
 * has to end, and the will must not be published.
 */
export function mayKeepWill(request: Asked, context: ClientContext): Verdict {
  return isService(request.identity, context) ? { allowed: true } : mayHaveTerms(request, context);
}

function mayHaveTerms({ identity, terms, traceId }: Asked, context: ClientContext): Verdict {
  const connect = terms && factsOf(terms);
  const asked = { identity, traceId, connect };
  const refusal = { ...asked, reason: 'CONNECT_NOT_AUTHORIZED' } as const;
  const decision = context.authorizer.connect(identity, connect);
  const verdict = settle({ decision, reason: refusal.reason, asked }, context);
  if (!verdict.allowed) return refuse({ ...refusal, decision }, context);
  const will = terms?.will;
  if (will === undefined || will === 'untold') return verdict;
  if (isUnderDirect(will.topicName)) {
    return refuse({ ...refusal, details: 'A will cannot be a direct message.' }, context);
  }
  if (isLifecycleTopic(will.topicName)) return refuse({ ...refusal, details: NO_CLIENT_PUBLISHES }, context);
  const ofWill = context.authorizer.publish(identity, will.topicName, { retain: will.retain });
  const details = 'The topic of the will.';
  const askedOfWill = { identity, traceId, topicName: will.topicName, retain: will.retain, details };
  const guarded = isGuardedTopic(will.topicName);
  const may = settle({ decision: ofWill, reason: refusal.reason, asked: askedOfWill, guarded }, context);
  return may.allowed ? verdict : refuse({ ...refusal, decision: ofWill, details }, context);
}

/**
 * Where it may connect without a will and with one, that is the answer. Else it is let in on approval; where only a will of
 * a certain topic would do, it is not.
 */
function mayConnectUnlessWill(
  { identity, terms, traceId }: Asked,
  context: ClientContext,
): Verdict & { onApproval?: true } {
  const facts: ConnectFacts = terms === undefined ? {} : factsOf(terms);
  const { connectAttributes = [] } = facts;
  const without = context.authorizer.connect(identity, facts);
  const withWill = context.authorizer.connect(identity, {
    ...facts,
    connectAttributes: [...connectAttributes, 'LastWill'],
    lastWillTopicUntold: true,
  });
  const decision = without.effect === 'deny' && withWill.effect === 'allow' ? withWill : without;
  const reason = 'CONNECT_NOT_AUTHORIZED';
  const asked = { identity, traceId, connect: facts };
  const verdict = settle({ decision, reason, asked }, context);
  if (!verdict.allowed) return refuse({ ...asked, reason, decision }, context);
  return { ...verdict, ...(without.effect !== withWill.effect && { onApproval: true }) };
}

type Connected = OfClient & Pick<ConnectRequest, 'terms'> & Pick<ActionEvent, 'connection' | 'endedAt'>;

/** A client is connected. */
export function tellConnected(connected: Connected, context: ClientContext): void {
  context.afterwards(() => {
    recordConnected(connected, context);
  });
}

/**
 * The same, at once. The policies are asked once more, because brokers tell of it apart from the request; where they would
 * refuse it, that is for want of facts which were told then, or they are others by now: nothing is said of them.
 */
export function recordConnected({ terms, ...connected }: Connected, context: ClientContext): void {
  const { identity } = connected;
  const asked = isService(identity, context)
    ? undefined
    : context.authorizer.connect(identity, terms && factsOf(terms));
  const decision = asked?.effect === 'allow' ? asked : undefined;
  context.events.tell('Connect', { ...connected, principalId: context.principalOf(identity), decision });
}

function refuse(
  refusal: OfClient & Omit<Refused, 'allowed'> & { readonly connect?: ConnectFacts | undefined },
  { afterwards, events }: ClientContext,
): Refused {
  const { identity, traceId, reason, decision, details, connect } = refusal;
  afterwards(() => {
    events.tell('Connect', { identity, traceId, reason, decision, details, connect });
  });
  return { allowed: false, reason, ...(decision && { decision }) };
}

function factsOf({ persistent, will, serverName, serverNameUntold }: ConnectTerms): ConnectFacts {
  const told = will === 'untold' ? undefined : will;
  return {
    connectAttributes: [...(persistent ? ['PersistentConnect'] : []), ...(told ? ['LastWill'] : [])],
    ...(told && { lastWillTopic: told.topicName }),
    ...(serverName !== undefined && { domainName: serverName }),
    ...(serverNameUntold && { domainNameUntold: true }),
  };
}
