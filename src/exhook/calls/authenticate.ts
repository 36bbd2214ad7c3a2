import type { Identity } from '../../identity/identity.js';
import { credentialsOf } from '../normalise.js';
import { ALLOW, DENY, type Handler } from './context.js';

/**
 * A client is admitted where the authenticator knows who it is and a policy lets it connect with this client ID. The
 * request's `result` is not looked at: it is what the chain held before, true for everybody in EMQX 5.9 and later without
 * an authenticator (recorded on 6.2.0). An authenticator of EMQX that accepts ends the chain, and nothing is asked here.
 */
export const onClientAuthenticate: Handler<'OnClientAuthenticate'> = async ({ clientinfo }, context, span, caller) => {
  if (clientinfo === null) return DENY;
  const askedBy = hostOf(caller.getPeer());
  const credentials = { ...credentialsOf(clientinfo), askedBy };
  const authentication = await context.authenticator.authenticate(credentials);
  if (!authentication.ok) {
    const { reason, details } = authentication;
    const { clientId, sourceIp, sourcePort } = credentials;
    // Neither username nor certificate: who it is has just not been established.
    const identity: Identity = {
      protocol: 'MQTT',
      clientId,
      ...(sourceIp === undefined ? {} : { sourceIp }),
      ...(sourcePort === undefined ? {} : { sourcePort }),
    };
    span.refused(reason);
    context.afterwards(() => {
      context.events.tell('Connect', { identity, traceId: span.traceId, reason, details });
    });
    return DENY;
  }

  const { identity } = authentication;
  if (identity.username === context.serviceUsername) return ALLOW;
  const decision = context.authorizer.connect(identity);
  span.decided(decision);
  if (decision.effect === 'allow') return ALLOW;
  span.refused('CONNECT_NOT_AUTHORIZED');
  context.afterwards(() => {
    context.events.tell('Connect', { identity, traceId: span.traceId, reason: 'CONNECT_NOT_AUTHORIZED', decision });
  });
  return DENY;
};

/** Without the port, which differs from connection to connection. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}
