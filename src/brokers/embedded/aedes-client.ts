import type { Aedes, Client } from 'aedes';
import type { IPublishPacket, Packet } from 'mqtt-packet';
import type { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';

/**
 * Parts of Aedes' client that are not of its public interface, and that a broker for direct messages needs: the PUBACK
 * of a direct message has to be withheld from Aedes, and so has the device's. Aedes has no hook before its packet
 * handlers; its version is pinned exactly, and the check below fails the first connection where a part is gone.
 */
export type AedesClient = Omit<Client, 'sessionExpiryInterval'> & {
  readonly conn: Socket;
  /** Emits `packet` for everything that comes; Aedes is its one listener. */
  readonly _parser: EventEmitter;
  /** The packet identifier that Aedes gives to the next QoS 1 or 2 PUBLISH towards the client. */
  _nextId: number;
  readonly _keepaliveTimer: NodeJS.Timeout | null;
  readonly connackSent: boolean;
  /** The will that Aedes publishes when the connection ends without DISCONNECT. */
  will: object | null;
  /** Of `Client`, where it is read-only: what it is at the end of the connection decides about the session. */
  sessionExpiryInterval: number;
  readonly subscriptions: Readonly<Record<string, { readonly qos: 0 | 1 | 2 }>>;
};

/** Parts of Aedes that are not of its public interface, and that ending a session needs. */
export type AedesBroker = Aedes & {
  /** Stops the timer of an MQTT 5 session whose client is away. */
  clearSessionExpiry(clientId: string): void;
  readonly persistence: {
    cleanSubscriptions(client: { readonly id: string }): Promise<unknown>;
    delWill(client: { readonly id: string; readonly brokerId: string }): Promise<unknown>;
    subscriptionsByClient(client: {
      readonly id: string;
    }): Promise<readonly { readonly topic: string; readonly qos: 0 | 1 | 2 }[]>;
    /** Retained messages that match a topic filter. */
    createRetainedStream(filter: string): AsyncIterable<IPublishPacket>;
  };
};

type PacketListener = (this: EventEmitter, packet: Packet) => void;

/** Takes Aedes' listener off the parser, puts `listener` in its place, and returns how to hand a packet to Aedes. */
export function standBefore(client: AedesClient, listener: (packet: Packet) => void): (packet: Packet) => void {
  const parser = client._parser;
  const [aedes, ...others] = parser.listeners('packet') as PacketListener[];
  if (aedes === undefined || others.length > 0) throw new Error('This version of Aedes parses in another way.');
  parser.removeListener('packet', aedes);
  parser.on('packet', listener);
  return (packet) => {
    aedes.call(parser, packet);
  };
}

/** Packet identifiers of Aedes towards a client are 1 to this one; those of direct messages are above. */
export const LAST_AEDES_PACKET_ID = 0x7fff;

/**
 * Keeps Aedes' packet identifiers out of the range of direct messages, so that neither meets the other's, those of a
 * resumed session included: they were given under the same rule.
 */
export function confinePacketIds(client: AedesClient): void {
  // A random start, as Aedes has it: a resumed session can still have unacknowledged identifiers of the last connection.
  let next = 1 + Math.floor(Math.random() * LAST_AEDES_PACKET_ID);
  Object.defineProperty(client, '_nextId', {
    get: () => next,
    set: (id: number) => {
      next = id > LAST_AEDES_PACKET_ID ? 1 : id;
    },
  });
}
