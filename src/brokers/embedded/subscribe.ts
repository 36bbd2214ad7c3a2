import { writeToStream, type ISubscribePacket, type ISubscription } from 'mqtt-packet';
import { isUnderDirect } from '../../direct/topic.js';
import { realFilter } from '../../policy/matching/topics.js';
import type { Authorization } from './authorize.js';
import type { Callouts } from './callouts.js';
import type { ClientConnection } from './client-connection.js';

/** SUBACK reason codes (MQTT 5, section 3.9.3); all refusals of MQTT 3.1.1 are 0x80. */
const NOT_AUTHORIZED = 0x87;
const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED = 0x9e;
const FAILURE = 0x80;
/** DISCONNECT reason code Topic Filter invalid (section 3.14.2.1). */
const TOPIC_FILTER_INVALID = 0x8f;

/**
 * Answers a SUBSCRIBE. Aedes gets to see only what is granted: in a session that is kept it would store the refused
 * filters with the others, and bring them to life when the session is resumed. And of filters that repeat it would
 * acknowledge one, where each has its code (section 3.8.4).
 *
 * Never rejects.
 */
export async function subscribe(
  connection: ClientConnection,
  packet: ISubscribePacket,
  authorization: Authorization,
  callouts: Callouts,
): Promise<void> {
  const { client, info, socket } = connection;
  const refusals: (number | undefined)[] = [];
  for (const { topic } of packet.subscriptions) refusals.push(await refusalOf(connection, topic, authorization));
  const granted = packet.subscriptions.filter((_, index) => refusals[index] === undefined);
  if (info !== undefined && granted.length > 0) await callouts.subscribed(info, packet, granted);
  if (client.closed) return;

  const codes = packet.subscriptions.map(({ qos }, index) => refusals[index] ?? qos);
  const acknowledge = (error?: Error | null): void => {
    if (error) {
      connection.end(TOPIC_FILTER_INVALID, 'invalid_topic');
    } else if (!client.closed) {
      writeToStream({ cmd: 'suback', messageId: packet.messageId ?? 0, granted: codes }, socket, {
        protocolVersion: client.version,
      });
      connection.lifecycle?.subscribed(granted.map(({ topic }) => topic));
    }
  };
  if (granted.length === 0) acknowledge();
  else client.subscribe(withoutMessageId(packet, granted), acknowledge);
}

async function refusalOf(
  connection: ClientConnection,
  filter: string,
  authorization: Authorization,
): Promise<number | undefined> {
  // Nobody subscribes under `$dm/`, in whatever disguise.
  if (isUnderDirect(realFilter(filter))) return connection.isMqtt5 ? NOT_AUTHORIZED : FAILURE;
  // Aedes has none, and says so in CONNACK.
  if (filter.startsWith('$share/')) return connection.isMqtt5 ? SHARED_SUBSCRIPTIONS_NOT_SUPPORTED : FAILURE;
  if (await authorization.ask(connection, 'SUBSCRIBE', filter)) return undefined;
  return connection.isMqtt5 ? NOT_AUTHORIZED : FAILURE;
}

/** A SUBSCRIBE without an identifier is one that Aedes does not acknowledge itself. */
function withoutMessageId(
  packet: ISubscribePacket,
  subscriptions: ISubscription[],
): ISubscribePacket & { cmd: 'subscribe' } {
  const { properties } = packet;
  return { cmd: 'subscribe', subscriptions, ...(properties === undefined ? {} : { properties }) };
}
