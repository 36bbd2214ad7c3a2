import { mayConnect, tellConnected } from '../clients/connect.js';
import { tellDelivered } from '../clients/deliver.js';
import { tellDisconnected } from '../clients/disconnect.js';
import { tellOutcomes } from '../clients/outcome.js';
import { tellPublished } from '../clients/publish.js';
import { tellUnsubscribed } from '../clients/unsubscribe.js';
import type { HookSpan } from '../observing/tracing.js';
import { answerQuestion } from './answer-question.js';
import { answer, authorize, DENY, type Asker, type CallContext } from './answers.js';
import { mergeHooks, REQUIRED_HOOKS } from './hooks.js';
import { credentialsOf, identityOf, outcomeOfReport, outcomeWithoutPlugin, senderOf } from './normalise.js';
import { OUTCOME_REPORTS, OUTCOME_REPORTS_TOPIC, readOutcomeReports } from './outcome-report.js';
import { readQuestion } from './question.js';
import type { CallName, Message, RequestOf, ResponseOf } from './wire.js';

/** Who calls: a node of the broker, or somebody in its place. */
export interface Caller {
  /** Address and port of the other end. */
  getPeer(): string;
}

type Handler<Name extends CallName> = (
  request: RequestOf<Name>,
  context: CallContext,
  span: HookSpan,
  caller: Caller,
) => ResponseOf<Name> | Promise<ResponseOf<Name>>;

/**
 * Calls that do something: each takes its request apart and asks or tells `src/clients/`. All others are answered with
 * success and forgotten: their hooks are not registered. A request without its message or client tells nothing.
 */
export const HANDLERS: { readonly [Name in CallName]?: Handler<Name> } = {
  OnProviderLoaded: (_, { hooks }) => ({ hooks: mergeHooks([...REQUIRED_HOOKS, ...hooks]) }),

  /**
   * The request's `result` is not looked at: it is what the chain held before, true for everybody in EMQX 5.9 and later
   * without an authenticator (recorded on 6.2.0). An authenticator of EMQX that accepts ends the chain, and nothing is
   * asked here.
   */
  OnClientAuthenticate: async ({ clientinfo }, context, span, caller) => {
    if (clientinfo === null) return DENY;
    const claim = { ...credentialsOf(clientinfo), askedBy: hostOf(caller.getPeer()) };
    return answer(await mayConnect({ claim, traceId: span.traceId }, context), span);
  },

  /**
   * The request does not tell QoS and retain flag of a PUBLISH (exhook.v2.proto and exhook.v3.proto,
   * ClientAuthorizeRequest); the plugin does, in a topic that no client can publish on. `result` is what the chain held
   * before: `authorization.no_match`, as no rule of EMQX's own has decided. It stands where the policies are in shadow, and
   * as the answer, not as none: the guard comes after, and denies what nobody answered.
   */
  OnClientAuthorize: ({ clientinfo, type, topic, result }, context, span, caller) => {
    if (clientinfo === null) return DENY;
    const question = type === 'PUBLISH' ? readQuestion(topic) : undefined;
    const asker: Asker = { clientinfo, brokersOwn: result, askedBy: hostOf(caller.getPeer()) };
    if (question !== undefined) return answerQuestion(question, asker, context, span);
    return authorize({ type, topic, identity: identityOf(clientinfo) }, asker, context, span);
  },

  OnClientConnected: ({ clientinfo }, context) => {
    if (clientinfo !== null) tellConnected({ identity: identityOf(clientinfo) }, context);
    return {};
  },

  OnClientDisconnected: ({ clientinfo, reason }, context) => {
    if (clientinfo !== null) tellDisconnected({ identity: identityOf(clientinfo), reason }, context);
    return {};
  },

  /** Registered on request only: the client's UNSUBACK waits for this answer. */
  OnClientUnsubscribe: ({ clientinfo, topic_filters: filters }, context, { traceId }) => {
    if (clientinfo !== null) {
      const topicFilters = filters.map(({ name }) => name);
      tellUnsubscribed({ identity: identityOf(clientinfo), traceId, topicFilters }, context);
    }
    return {};
  },

  /** Registered on request only, with topic filters: a client's connection waits for this answer at every message. */
  OnMessagePublish: ({ message }, context, { traceId }) => {
    if (message !== null) {
      const identity = senderOf({ from: message.from, ...message.headers });
      tellPublished({ identity, traceId, ...factsOf(message) }, context);
    }
    return { type: 'IGNORE' };
  },

  /** Registered on request only, with topic filters: the receiver's connection waits for this answer. */
  OnMessageDelivered: ({ clientinfo, message }, context, { traceId }) => {
    if (clientinfo !== null && message !== null) {
      tellDelivered({ identity: identityOf(clientinfo), traceId, ...factsOf(message) }, context);
    }
    return {};
  },

  /** Under `$dm/` these are outcomes of direct messages that came over MQTT. */
  OnMessageDropped: ({ message, reason }, context, _span, caller) => {
    if (message === null) return {};
    if (reason === OUTCOME_REPORTS && message.topic === OUTCOME_REPORTS_TOPIC) {
      context.afterwards(() => {
        tellReports(message.payload, context, caller);
      });
    } else if (reason === 'no_subscribers') {
      // Routing saw it, so nothing took it out: the broker has no delivery plugin, and this is the message itself.
      tellOutcomes(outcomeWithoutPlugin(message), context);
    }
    return {};
  },
};

function tellReports(payload: Buffer, context: CallContext, caller: Caller): void {
  const { reports, unreadable } = readOutcomeReports(payload);
  if (unreadable > 0) {
    const fields = { unreadable, reportedBy: caller.getPeer() };
    context.diagnostics('warn', 'Outcomes that a broker reported could not be read.', fields);
  }
  tellOutcomes(reports.map(outcomeOfReport), context);
}

function factsOf(message: Message) {
  return { topicName: message.topic, qos: message.qos, payloadBytes: message.payload.length };
}

/** Without the port, which differs from connection to connection. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}
