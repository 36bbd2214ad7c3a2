import { isUnderDirect } from '../direct/topic.js';
import type { PresentedCredentials } from '../identity/authenticator.js';
import type { Identity } from '../identity/identity.js';
import type { ActionEvent } from '../observing/events.js';
import type { ConnectFacts } from '../policy/conditions/context.js';
import { heeded, isGuardedTopic, settle } from './enforcement.js';
import { isService, type ClientContext } from './context.js';
import type { Allowed, OfClient, Refused } from './verdict.js';

/** What a CONNECT asks for beyond being let in. */
export interface ConnectTerms {
  /** The session outlives the connection: no clean start, or an expiry above 0. */
  readonly persistent: boolean;
  /** Absent where the CONNECT has none. */
  readonly will?: { readonly topicName: string; readonly retain: boolean } | undefined;
  /** Host name of the TLS server name indication; absent where the client named none. */
  readonly serverName?: string | undefined;
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
  const refusal = { identity, reason: 'CONNECT_NOT_AUTHORIZED', traceId: request.traceId } as const;
  const decision = context.authorizer.connect(identity, terms && factsOf(terms));
  const asked = { identity, traceId: request.traceId };
  const verdict = settle({ decision, reason: refusal.reason, asked }, context);
  if (!verdict.allowed) return refuse({ ...refusal, decision }, context);
  const admitted: Admitted = { ...verdict, identity, isService: false };
  const will = terms?.will;
  if (will === undefined) return admitted;
  if (isUnderDirect(will.topicName)) {
    return refuse({ ...refusal, details: 'A will cannot be a direct message.' }, context);
  }
  const ofWill = context.authorizer.publish(identity, will.topicName, { retain: will.retain });
  const details = 'The topic of the will.';
  const askedOfWill = { ...asked, topicName: will.topicName, details };
  const guarded = isGuardedTopic(will.topicName);
  const may = settle({ decision: ofWill, reason: refusal.reason, asked: askedOfWill, guarded }, context);
  return may.allowed ? admitted : refuse({ ...refusal, decision: ofWill, details }, context);
}

type Connected = OfClient & Pick<ConnectRequest, 'terms'> & Pick<ActionEvent, 'connection' | 'endedAt'>;

/** A client is connected. */
export function tellConnected(connected: Connected, context: ClientContext): void {
  context.afterwards(() => {
    recordConnected(connected, context);
  });
}

/** The same, at once. The policies are asked once more: brokers tell of it apart from the request. */
export function recordConnected({ terms, ...connected }: Connected, context: ClientContext): void {
  const { identity } = connected;
  const decision = isService(identity, context)
    ? undefined
    : heeded(context.authorizer.connect(identity, terms && factsOf(terms)), context);
  context.events.tell('Connect', { ...connected, decision });
}

function refuse(
  refusal: OfClient & Omit<Refused, 'allowed'> & { readonly details?: string },
  { afterwards, events }: ClientContext,
): Refused {
  const { identity, traceId, reason, decision, details } = refusal;
  afterwards(() => {
    events.tell('Connect', { identity, traceId, reason, decision, details });
  });
  return { allowed: false, reason, ...(decision && { decision }) };
}

function factsOf({ persistent, will, serverName }: ConnectTerms): ConnectFacts {
  return {
    connectAttributes: [...(persistent ? ['PersistentConnect'] : []), ...(will ? ['LastWill'] : [])],
    ...(will && { lastWillTopic: will.topicName }),
    ...(serverName !== undefined && { domainName: serverName }),
  };
}
