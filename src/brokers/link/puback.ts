import type { Delivery, Written } from '../../direct/delivery.js';
import { isReason, PubackCode, REASONS, type Reason } from '../../reasons.js';
import { decodeResponse } from '../direct/outcome-message.js';
import type { Puback } from './answer.js';

/** Node fires timers up to a millisecond early, and both ends measure with their own clock. */
const CLOCK_TOLERANCE_MS = 2;

interface Sent {
  readonly confirmation: boolean;
  readonly isRequest: boolean;
  readonly timeoutMs: number;
  readonly elapsedMs: number;
}

/**
 * What a PUBACK says about a valid direct message of the service's own user (whom the broker lets send), and what the broker
 * told before it on `$dm/outcome`.
 *
 * The reason is what was told, else the Reason String, where that names one, else the code's. 0x80 stands for several; a
 * failure at or after the timeout is the timeout. 0x10 means that the broker routed the message as an ordinary topic:
 * nothing took it for delivery.
 */
export function deliveryOfPuback({ code, reasonString, told }: Puback, sent: Sent): Delivery {
  const reason = told?.reason ?? namedReason(reasonString) ?? reasonOfCode(code, sent);
  const { code: deviceCode, reasonString: deviceWords, traceId, joined, earlierWritten, response } = told ?? {};
  return {
    reason,
    written: told?.written ?? writtenBy(reason),
    ...(deviceCode !== undefined && { device: { code: deviceCode, reasonString: deviceWords } }),
    ...(joined === true && { joined, ...firstAttempt(traceId) }),
    ...(earlierWritten === true && { earlierWritten }),
    ...(response !== undefined && { response: decodeResponse(response) }),
  };
}

/** An attempt as `dm-trace-id` named it. */
function firstAttempt(attempt: string | undefined): Pick<Delivery, 'firstTraceId' | 'firstSpanId'> {
  const [firstTraceId, firstSpanId] = attempt?.split('-') ?? [];
  return { firstTraceId, ...(firstSpanId !== undefined && { firstSpanId }) };
}

/** What a reason says by itself, where the broker says nothing of it. */
export function writtenBy(reason: Reason): Written {
  switch (REASONS[reason].retry) {
    case 'needless':
      return 'yes';
    case 'joins':
      return reason === 'ACKNOWLEDGED_NOT_ANSWERED' ? 'yes' : 'unknown';
    case 'safe':
    case 'pointless':
      return 'no';
  }
}

function namedReason(text: string | undefined): Reason | undefined {
  return text !== undefined && isReason(text) ? text : undefined;
}

function reasonOfCode(code: number, sent: Sent): Reason {
  switch (code) {
    case PubackCode.Success:
      // A broker whose plugin knows no requests tells that the device has it, and no more.
      if (sent.isRequest) return 'ACKNOWLEDGED_NOT_ANSWERED';
      return sent.confirmation ? 'DELIVERED' : 'DISPATCHED';
    case PubackCode.NoMatchingSubscribers:
      return 'DELIVERY_PLUGIN_MISSING';
    case PubackCode.UnspecifiedError:
      return sent.elapsedMs + CLOCK_TOLERANCE_MS >= sent.timeoutMs ? 'PUBACK_TIMEOUT' : 'RECEIVER_DISCONNECTED';
    case PubackCode.ImplementationSpecificError:
      return 'CLIENT_OFFLINE_WITH_SESSION';
    case PubackCode.NotAuthorized:
      return 'RECEIVER_NOT_AUTHORIZED';
    case PubackCode.TopicNameInvalid:
      return 'CLIENT_NOT_CONNECTED';
    case PubackCode.PacketIdentifierInUse:
      return 'IDEMPOTENCY_KEY_REUSED';
    case PubackCode.PayloadFormatInvalid:
      return 'PAYLOAD_TOO_LARGE';
    case PubackCode.QuotaExceeded:
      return 'RECEIVER_THROTTLED';
    default:
      return 'INTERNAL_ERROR';
  }
}
