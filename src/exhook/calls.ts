import { tellBrokerEvent, type BrokerEvent } from '../clients/broker-events.js';
import { mayConnect, tellConnected } from '../clients/connect.js';
import { tellDelivered } from '../clients/deliver.js';
import { tellDisconnected } from '../clients/disconnect.js';
import { tellOutcomes } from '../clients/outcome.js';
import { tellPublished } from '../clients/publish.js';
import { tellUnsubscribed } from '../clients/unsubscribe.js';
import type { HookSpan } from '../observing/tracing.js';
import { answerQuestion } from './answer-question.js';
import { answer, authorize, DENY, type Asker, type CallContext } from './answers.js';
import { LIFECYCLE_HOOKS, mergeHooks, REQUIRED_HOOKS } from './hooks.js';
import { credentialsOf, identityOf, outcomeOfReport, outcomeWithoutPlugin, senderOf } from './normalise.js';
import { OUTCOME_REPORTS, OUTCOME_REPORTS_TOPIC, readReports } from './outcome-report.js';
import { readQuestion } from './question.js';
import { readBrokerEvent, type Entry } from './tap/entries.js';
import { TAP_TOPIC } from './tap/tap.js';
import type { CallName, EmptySuccess, Message, RequestMeta, RequestOf, ResponseOf } from './wire.js';

/** Who calls: a node of the broker, or somebody in its place. */
export interface Caller {
  /** Address and port of the other end. */
  getPeer(): string;
}

const TURN = 50;

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
  OnProviderLoaded: async ({ meta }, { hooks, tap }) => ({
    hooks: mergeHooks(
      meta !== null && (await tap.isOn(meta)) ? REQUIRED_HOOKS : [...REQUIRED_HOOKS, ...LIFECYCLE_HOOKS, ...hooks],
    ),
  }),

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
  OnClientAuthorize: ({ clientinfo, type, topic, result, meta }, context, span, caller) => {
    if (clientinfo === null) return DENY;
    const question = type === 'PUBLISH' ? readQuestion(topic) : undefined;
    const isToldLater = isTapped(meta, context);
    const asker: Asker = { clientinfo, brokersOwn: result, askedBy: hostOf(caller.getPeer()), isToldLater };
    if (question !== undefined) return answerQuestion(question, asker, context, span);
    return authorize({ type, topic, identity: identityOf(clientinfo) }, asker, context, span);
  },

  OnClientConnected: ({ clientinfo, meta }, context) => {
    if (clientinfo !== null && !isTapped(meta, context)) tellConnected({ identity: identityOf(clientinfo) }, context);
    return {};
  },

  OnClientDisconnected: ({ clientinfo, reason, meta }, context) => {
    if (clientinfo !== null && !isTapped(meta, context))
      tellDisconnected({ identity: identityOf(clientinfo), reason }, context);
    return {};
  },

  /** Registered on request only: the client's UNSUBACK waits for this answer. */
  OnClientUnsubscribe: ({ clientinfo, topic_filters: filters, meta }, context, { traceId }) => {
    if (clientinfo !== null && !isTapped(meta, context)) {
      const topicFilters = filters.map(({ name }) => name);
      tellUnsubscribed({ identity: identityOf(clientinfo), traceId, topicFilters }, context);
    }
    return {};
  },

  /**
   * The question of the event tap. Else registered on request only, with topic filters: a client's connection waits for
   * this answer at every message.
   */
  OnMessagePublish: ({ message, meta }, context, { traceId }) => {
    if (message?.topic === TAP_TOPIC) return context.tap.answer(message, meta);
    if (message !== null && !isTapped(meta, context)) {
      const identity = senderOf({ from: message.from, ...message.headers });
      tellPublished({ identity, traceId, ...factsOf(message) }, context);
    }
    return { type: 'IGNORE' };
  },

  /** Registered on request only, with topic filters: the receiver's connection waits for this answer. */
  OnMessageDelivered: ({ clientinfo, message, meta }, context, { traceId }) => {
    if (clientinfo !== null && message !== null && !isTapped(meta, context)) {
      tellDelivered({ identity: identityOf(clientinfo), traceId, ...factsOf(message) }, context);
    }
    return {};
  },

  /** Under `$dm/` these are outcomes of direct messages that came over MQTT, and events. */
  OnMessageDropped: ({ message, reason, meta }, context, _span, caller) => {
    if (message === null) return {};
    if (reason === OUTCOME_REPORTS && message.topic === OUTCOME_REPORTS_TOPIC) {
      return tellReports(message.payload, meta, context, caller);
    } else if (reason === 'no_subscribers') {
      // Routing saw it, so nothing took it out: the broker has no delivery plugin, and this is the message itself.
      tellOutcomes(outcomeWithoutPlugin(message), context);
    }
    return {};
  },
};

/** A node that tells of what it does calls these hooks only until it loads its provider anew. */
function isTapped(meta: RequestMeta | null, { tap }: CallContext): boolean {
  return meta !== null && tap.tells(meta.node);
}

/**
 * Outcomes are told after the answer. Of events there may be more than can be told: who tells them has its answer, and
 * tells more, when these are.
 */
function tellReports(
  payload: Buffer,
  meta: RequestMeta | null,
  context: CallContext,
  caller: Caller,
): EmptySuccess | Promise<EmptySuccess> {
  const { reports, events, unreadable } = readReports(payload);
  tellOutcomes(reports.map(outcomeOfReport), context);
  if (events.length === 0 && unreadable === 0) return {};
  if (events.length > 0) context.tap.seen(meta);
  return new Promise((resolve) => {
    tellEvents(events, unreadable, 0);

    /** Events told in one turn of the event loop: less than half a millisecond, for which clients have to wait. */
    function tellEvents(entries: readonly Entry[], unread: number, start: number): void {
      context.afterwards(() => {
        let unreadHere = 0;
        for (const entry of entries.slice(start, start + TURN)) {
          const event = readBrokerEvent(entry, meta?.node ?? '');
          if (event === undefined) unreadHere += 1;
          else attempt(event);
        }
        if (start + TURN < entries.length) {
          tellEvents(entries, unread + unreadHere, start + TURN);
          return;
        }
        if (unread + unreadHere > 0) {
          const fields = { unreadable: unread + unreadHere, reportedBy: caller.getPeer() };
          context.diagnostics('warn', 'Outcomes and events that a broker reported could not be read.', fields);
        }
        resolve({});
      });
    }

    function attempt(event: BrokerEvent): void {
      try {
        tellBrokerEvent(event, context);
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        context.diagnostics('error', 'An event could not be recorded.', { error: message });
      }
    }
  });
}

function factsOf(message: Message) {
  return { topicName: message.topic, qos: message.qos, payloadBytes: message.payload.length };
}

/** Without the port, which differs from connection to connection. */
function hostOf(peer: string): string {
  return peer.replace(/:\d+$/, '');
}
