import type { IPublishPacket, ISubscribePacket, IUnsubscribePacket, Packet } from 'mqtt-packet';
import { isUnderDirect } from '../../direct/topic.js';
import { isTopicFilter } from '../../policy/matching/topics.js';
import { keepUserPropertyOrder } from '../direct/user-properties.js';
import { confinePacketIds, standBefore } from './aedes-client.js';
import type { ClientConnection } from './client-connection.js';

/** Who takes the packets that are not Aedes' own business. */
export interface DoorContext {
  /** A PUBLISH under `$dm/`. */
  direct(connection: ClientConnection, packet: IPublishPacket): void;
  /** A SUBSCRIBE, whose filters are ones. */
  subscribe(connection: ClientConnection, packet: ISubscribePacket): void;
  /** Resolves when the UNSUBSCRIBE may go to Aedes. Never rejects. */
  beforeUnsubscribe(connection: ClientConnection, packet: IUnsubscribePacket): Promise<void>;
}

/** DISCONNECT reason codes (MQTT 5, section 3.14.2.1). */
const MALFORMED_PACKET = 0x81;
const PROTOCOL_ERROR = 0x82;
const QUOTA_EXCEEDED = 0x97;
/** Most packets that may come before CONNACK; as many as Aedes would keep itself. */
const EARLY_PACKETS = 42;

/**
 * Stands before Aedes on one connection and sees every packet first. Aedes never learns of direct messages, of their
 * acknowledgements, of topic filters that are none, and of subscriptions that are refused.
 */
export function openDoor(connection: ClientConnection, context: DoorContext): void {
  const { client } = connection;
  /** What comes between CONNECT and CONNACK, as MQTT allows (section 3.1.4), waits for the admission. */
  const early: Packet[] = [];
  confinePacketIds(client);
  keepUserPropertyOrder(client._parser);
  const toAedes = standBefore(client, (packet) => {
    if (connection.receiver !== undefined) {
      replay();
      pass(packet);
    } else if (packet.cmd === 'connect' || connection.connect === undefined) {
      toAedes(packet);
    } else if (early.push(packet) > EARLY_PACKETS) {
      connection.end(QUOTA_EXCEEDED, 'too_many_early_packets');
    }
  });
  client.once('connected', replay);

  function replay(): void {
    for (const packet of early.splice(0)) pass(packet);
  }

  function pass(packet: Packet): void {
    // Any packet counts for Keep Alive (section 3.1.2.10), also one that Aedes never sees or sees later.
    client._keepaliveTimer?.refresh();
    // A topic alias (section 3.3.2.3.4) is for Aedes to refuse: it offers none.
    if (packet.cmd === 'publish' && isUnderDirect(packet.topic) && packet.properties?.topicAlias === undefined) {
      context.direct(connection, packet);
    } else if (packet.cmd === 'puback' && connection.receiver?.acknowledge(packet) === true) {
      return;
    } else if (packet.cmd === 'pubrec' && connection.receiver?.awaits(packet.messageId ?? 0) === true) {
      // A PUBLISH of QoS 1 is answered by PUBACK (section 4.3.2), and by nothing else.
      connection.end(PROTOCOL_ERROR, 'protocol_error');
    } else if (packet.cmd === 'subscribe') {
      if (refuseFilters(packet.subscriptions.map(({ topic }) => topic))) return;
      context.subscribe(connection, packet);
    } else if (packet.cmd === 'unsubscribe') {
      if (refuseFilters(packet.unsubscriptions)) return;
      void context.beforeUnsubscribe(connection, packet).then(() => {
        if (!client.closed) toAedes(packet);
      });
    } else {
      if (packet.cmd === 'disconnect') connection.endReason ??= 'normal';
      toAedes(packet);
    }
  }

  /** What is no topic filter (section 4.7.1) makes a malformed packet (section 4.13). Aedes lets `a+`, `+a` and `a#` pass. */
  function refuseFilters(filters: readonly string[]): boolean {
    if (filters.every(isTopicFilter)) return false;
    connection.end(MALFORMED_PACKET, 'invalid_topic');
    return true;
  }
}
