import { mayConnect, tellConnected } from '../clients/connect.js';
import type { ClientContext } from '../clients/context.js';
import { tellDelivered } from '../clients/deliver.js';
import { tellDisconnected } from '../clients/disconnect.js';
import { tellOutcomes } from '../clients/outcome.js';
import { mayPublish, tellPublished } from '../clients/publish.js';
import { mayReceive } from '../clients/receive.js';
import { maySubscribe } from '../clients/subscribe.js';
import { tellUnsubscribed } from '../clients/unsubscribe.js';
import type { Verdict } from '../clients/verdict.js';
import type { HookSpan } from '../observing/tracing.js';
import { mergeHooks, REQUIRED_HOOKS, type Hook } from './hooks.js';
import {
  askedTopic,
  credentialsOf,
  identityOf,
  outcomeOfReport,
  outcomeWithoutPlugin,
  receivingOn,
  senderOf,
} from './normalise.js';
import { OUTCOME_REPORTS, OUTCOME_REPORTS_TOPIC, readOutcomeReports } from './outcome-report.js';
import type { CallName, Message, RequestOf, ResponseOf, ValuedResponse } from './wire.js';

export interface CallContext extends ClientContext {
  /** Hooks to register beyond the required ones. */
  readonly hooks: readonly Hook[];
}

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
 * Decisions always stop the chain: callbacks of lower priority (the guard, which denies) are for the case that no
 * provider answers.
 */
const ALLOW: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: true });
export const DENY: ValuedResponse = Object.freeze({ type: 'STOP_AND_RETURN', bool_result: false });

function answer(verdict: Verdict, span: HookSpan): ValuedResponse {
  if (verdict.decision !== undefined) span.decided(verdict.decision);
  if (verdict.allowed) return ALLOW;
  span.refused(verdict.reason);
  return DENY;
}

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
   * ClientAuthorizeRequest). `result` is what the chain held before: `authorization.no_match`, as no rule of EMQX's own
   * has decided. It stands where the policies are in shadow, and as the answer, not as none: the guard comes after, and
   * denies what nobody answered.
   */
  OnClientAuthorize: ({ clientinfo, type, topic, result }, context, span) => {
    if (clientinfo === null) return DENY;
    const identity = identityOf(clientinfo);
    const topicName = askedTopic(topic, clientinfo.mountpoint);
    const asked = { identity, topicName, traceId: span.traceId };
    switch (type) {
      case 'PUBLISH':
        return answer(mayPublish({ ...asked, brokersOwn: result }, context), span);
      case 'SUBSCRIBE': {
        const receiving = receivingOn(topicName, clientinfo);
        return receiving === undefined
          ? answer(maySubscribe({ ...asked, topicFilter: topicName, brokersOwn: result }, context), span)
          : answer(mayReceive({ ...asked, topicName: receiving.topic, direct: true }, context), span);
      }
      default:
        // A type of a later generation comes as its number.
        return DENY;
    }
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
