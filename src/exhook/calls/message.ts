import { parseDirectTopic } from '../../direct/topic.js';
import type { DirectMessageEvent } from '../../observing/events.js';
import { identityOf, senderOf } from '../normalise.js';
import { OUTCOME_REPORTS, OUTCOME_REPORTS_TOPIC, readOutcomeReports, type OutcomeReport } from '../outcome-report.js';
import type { Message } from '../wire.js';
import type { CallContext, Caller, Handler } from './context.js';

/** Under `$dm/` these are outcomes of direct messages that came through MQTT. */
export const onMessageDropped: Handler<'OnMessageDropped'> = ({ message, reason }, context, _span, caller) => {
  if (message !== null) {
    context.afterwards(() => {
      if (reason === OUTCOME_REPORTS && message.topic === OUTCOME_REPORTS_TOPIC)
        tellReports(message.payload, context, caller);
      // Routing saw it, so nothing took it out: the broker has no delivery plugin, and this is the message itself.
      else if (reason === 'no_subscribers') tellMissingPlugin(message, context);
    });
  }
  return {};
};

/** Reports told in one turn of the event loop: some half a millisecond, for which hook calls of clients have to wait. */
const TURN = 50;

function tellReports(payload: Buffer, context: CallContext, caller: Caller): void {
  const { reports, unreadable } = readOutcomeReports(payload);
  if (unreadable > 0)
    context.diagnostics('warn', 'Outcomes that a broker reported could not be read.', {
      unreadable,
      reportedBy: caller.getPeer(),
    });
  tellFrom(0, reports, context);
}

function tellFrom(start: number, reports: readonly OutcomeReport[], context: CallContext): void {
  const end = start + TURN;
  for (const report of reports.slice(start, end)) tell(outcomeOf(report), report, context);
  if (end >= reports.length) return;
  context.afterwards(() => {
    tellFrom(end, reports, context);
  });
}

function outcomeOf({ topic, reason, durationMs, endedAt, qos, payloadBytes }: OutcomeReport): Outcome {
  const parsed = parseDirectTopic(topic);
  const { address } = parsed.ok ? parsed : { address: { targetClientId: '', topic } };
  return {
    message: {
      targetClientId: address.targetClientId,
      topic: address.topic,
      confirmation: qos === undefined ? undefined : qos > 0,
      payloadBytes,
    },
    reason,
    durationMs,
    endedAt,
  };
}

function tellMissingPlugin(message: Message, context: CallContext): void {
  const parsed = parseDirectTopic(message.topic);
  if (!parsed.ok) return;
  const { username, peerhost } = message.headers;
  tell(
    {
      message: { ...parsed.address, confirmation: message.qos > 0, payloadBytes: message.payload.length },
      reason: 'DELIVERY_PLUGIN_MISSING',
      durationMs: 0,
    },
    { from: message.from, username, peerhost },
    context,
  );
}

type Outcome = Omit<DirectMessageEvent, 'traceId' | 'sender'>;
type Sender = Pick<OutcomeReport, 'from' | 'username' | 'peerhost' | 'traceparent'>;

/** Literals and no spreads: this is done for every direct message through MQTT. */
function tell({ message, reason, durationMs, endedAt }: Outcome, sender: Sender, context: CallContext): void {
  const { from, username, traceparent } = sender;
  // The service knows what became of its own messages.
  if (username === context.serviceUsername) return;
  const outcome = { message, reason, durationMs, endedAt, senderClientId: from, traceparent };
  const traceId = context.tracing.mqttMessage(outcome);
  context.events.tell('SendDirectMessage', { traceId, sender: senderOf(sender), message, reason, durationMs, endedAt });
}

/** Registered on request only, with topic filters: a client's connection waits for this answer at every message. */
export const onMessagePublish: Handler<'OnMessagePublish'> = ({ message }, context, { traceId }) => {
  if (message !== null) {
    context.afterwards(() => {
      context.events.tell('Publish-In', {
        identity: senderOf({ from: message.from, ...message.headers }),
        traceId,
        ...factsOf(message),
      });
    });
  }
  return { type: 'IGNORE' };
};

/** Registered on request only, with topic filters: the receiver's connection waits for this answer. */
export const onMessageDelivered: Handler<'OnMessageDelivered'> = ({ clientinfo, message }, context, { traceId }) => {
  if (clientinfo !== null && message !== null) {
    context.afterwards(() => {
      context.events.tell('Publish-Out', { identity: identityOf(clientinfo), traceId, ...factsOf(message) });
    });
  }
  return {};
};

function factsOf(message: Message) {
  return { topicName: message.topic, qos: message.qos, payloadBytes: message.payload.length };
}
