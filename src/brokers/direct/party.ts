import type { PendingMessage } from './pending.js';
import type { Receiver } from './receiver.js';

/** A connection of a client, as whoever sends and receives direct messages sees it. */
export interface Party {
  /** Whether its protocol has reason codes, so that a PUBACK can say no. */
  readonly isMqtt5: boolean;
  /** Whether it is one of the service's own user. */
  readonly isService: boolean;
  readonly closed: boolean;
  /** Direct messages that it sent at QoS 1 and that have no answer yet, by packet identifier. */
  readonly sent: Map<number, PendingMessage>;
  /** From CONNACK on: direct messages can be delivered. */
  readonly receiver: Receiver | undefined;
  /** Who sends from here; from authentication on. */
  readonly origin:
    { readonly clientId: string; readonly username: string | undefined; readonly sourceIp: string } | undefined;
  /** Sends a packet to the client. */
  write(bytes: Buffer): void;
  /** Ends the connection; MQTT 5 clients are told the reason code. */
  end(reasonCode: number, endReason: string): void;
}
