import { parseDirectTopic } from '../../direct/topic.js';
import { newTraceId, traceIdOf } from '../../telemetry/trace-id.js';
import type { DirectMessageEvent } from '../../telemetry/events.js';
import { readOutcomeReport } from '../outcome-report.js';
import { senderOf } from '../normalise.js';
import type { Message } from '../wire.js';
import type { Handler } from './context.js';

/** Under `$dm/` this is the outcome of a direct message that came through MQTT. */
export const onMessageDropped: Handler<'OnMessageDropped'> = ({ message, reason }, context) => {
  if (message !== null) {
    context.afterwards(() => {
      const event = outcomeOf(message, reason);
      // The service knows what became of its own messages.
      if (event !== undefined && event.sender.username !== context.serviceUsername) {
        context.events.directMessage(event);
      }
    });
  }
  return {};
};

function outcomeOf(message: Message, dropReason: string): DirectMessageEvent | undefined {
  const parsed = parseDirectTopic(message.topic);
  const address = parsed.ok ? parsed.address : { targetClientId: '', topic: message.topic };
  const sender = senderOf(message);
  if (dropReason === 'no_subscribers') {
    // Routing saw it, so nothing took it out: the broker has no delivery plugin, and this is the message itself.
    if (!parsed.ok) return undefined;
    return {
      traceId: newTraceId(),
      sender,
      message: { ...address, confirmation: message.qos > 0, payloadBytes: message.payload.length },
      reason: 'DELIVERY_PLUGIN_MISSING',
      durationMs: 0,
    };
  }
  const report = readOutcomeReport(dropReason, message.payload);
  if (report === undefined) return undefined;
  return {
    traceId: (report.traceparent === undefined ? undefined : traceIdOf(report.traceparent)) ?? newTraceId(),
    sender,
    message: { ...address, confirmation: report.qos > 0, payloadBytes: report.payloadBytes },
    reason: report.reason,
    durationMs: report.durationMs,
  };
}
