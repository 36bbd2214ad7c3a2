import { parseDirectTopic } from '../../direct/topic.js';
import type { DirectMessageEvent } from '../../telemetry/events.js';
import { readOutcomeReport } from '../outcome-report.js';
import { identityOf, senderOf } from '../normalise.js';
import type { Message } from '../wire.js';
import type { Handler } from './context.js';

/** Under `$dm/` this is the outcome of a direct message that came through MQTT. */
export const onMessageDropped: Handler<'OnMessageDropped'> = ({ message, reason }, context) => {
  if (message !== null) {
    context.afterwards(() => {
      const sender = senderOf(message);
      // The service knows what became of its own messages.
      if (sender.username === context.serviceUsername) return;
      const outcome = outcomeOf(message, reason);
      if (outcome === undefined) return;
      const { event, traceparent } = outcome;
      const traceId = context.tracing.mqttMessage({
        ...event,
        senderClientId: message.from,
        ...(traceparent !== undefined && { traceparent }),
      });
      context.events.directMessage({ ...event, sender, traceId });
    });
  }
  return {};
};

interface Outcome {
  readonly event: Omit<DirectMessageEvent, 'traceId' | 'sender'>;
  /** Of the sender, where the message carried one. */
  readonly traceparent?: string | undefined;
}

function outcomeOf(message: Message, dropReason: string): Outcome | undefined {
  const parsed = parseDirectTopic(message.topic);
  const address = parsed.ok ? parsed.address : { targetClientId: '', topic: message.topic };
  if (dropReason === 'no_subscribers') {
    // Routing saw it, so nothing took it out: the broker has no delivery plugin, and this is the message itself.
    if (!parsed.ok) return undefined;
    return {
      event: {
        message: { ...address, confirmation: message.qos > 0, payloadBytes: message.payload.length },
        reason: 'DELIVERY_PLUGIN_MISSING',
        durationMs: 0,
      },
    };
  }
  const report = readOutcomeReport(dropReason, message.payload);
  if (report === undefined) return undefined;
  return {
    event: {
      message: { ...address, confirmation: report.qos > 0, payloadBytes: report.payloadBytes },
      reason: report.reason,
      durationMs: report.durationMs,
    },
    traceparent: report.traceparent,
  };
}

/** Registered on request only, with topic filters: a client's connection waits for this answer at every message. */
export const onMessagePublish: Handler<'OnMessagePublish'> = ({ message }, context, { traceId }) => {
  if (message !== null) {
    context.afterwards(() => {
      context.events.publishIn({ identity: senderOf(message), traceId, ...factsOf(message) });
    });
  }
  return { type: 'IGNORE' };
};

/** Registered on request only, with topic filters: the receiver's connection waits for this answer. */
export const onMessageDelivered: Handler<'OnMessageDelivered'> = ({ clientinfo, message }, context, { traceId }) => {
  if (clientinfo !== null && message !== null) {
    context.afterwards(() => {
      context.events.publishOut({ identity: identityOf(clientinfo), traceId, ...factsOf(message) });
    });
  }
  return {};
};

function factsOf(message: Message) {
  return { topicName: message.topic, qos: message.qos, payloadBytes: message.payload.length };
}
