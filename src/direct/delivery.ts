import type { Reason } from '../reasons.js';
import type { DirectMessage } from './message.js';

/**
 * Port to the broker's delivery primitive (`$dm/{clientId}/{topic}`).
 *
 * `deliver` settles exactly once, at the latest shortly after `message.timeoutMs`, and never rejects: whatever happens
 * is a reason. DELIVERED is answered only for the receiver's own PUBACK.
 */
export interface DirectDelivery {
  deliver(message: DirectMessage): Promise<Reason>;
}
