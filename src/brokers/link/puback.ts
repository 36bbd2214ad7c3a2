import { PubackCode, type Reason } from '../../reasons.js';

/** Node fires timers up to a millisecond early, and both ends measure with their own clock. */
const CLOCK_TOLERANCE_MS = 2;

/**
 * What a PUBACK says about a valid direct message of the service's own user (whom the broker lets send).
 *
 * 0x80 stands for two outcomes; a failure at or after the timeout is the timeout. 0x10 means that the broker routed
 * the message as an ordinary topic: nothing took it for delivery.
 */
export function reasonOfPuback(
  code: number,
  sent: { readonly confirmation: boolean; readonly timeoutMs: number; readonly elapsedMs: number },
): Reason {
  switch (code) {
    case PubackCode.Success:
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
    case PubackCode.PayloadFormatInvalid:
      return 'PAYLOAD_TOO_LARGE';
    case PubackCode.QuotaExceeded:
      return 'RECEIVER_THROTTLED';
    default:
      return 'INTERNAL_ERROR';
  }
}
