import { randomBytes } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type { IPublishPacket, MqttClient as Client } from 'mqtt';
import mqtt from 'mqtt';
import { BrokerFault, type RetainedMessage } from '../../operations/broker.js';

export interface RetainedReaderOptions {
  /** A new connection to the broker. */
  readonly dial: () => Duplex;
  /** The service's user. */
  readonly username: string;
  readonly password?: string | undefined;
  /** How long the broker may take for everything, in milliseconds. */
  readonly timeoutMs?: number;
}

const TIMEOUT_MS = 5_000;

/**
 * The message that the broker retains on a topic, by a subscription on a connection of its own. The broker sends what it
 * retains before it answers what comes behind the SUBSCRIBE (Mosquitto, run on 2.0.11, handles one packet after the other).
 *
 * @returns undefined where there is none. Rejects with BrokerFault.
 */
export async function readRetained(
  topic: string,
  { dial, username, password, timeoutMs = TIMEOUT_MS }: RetainedReaderOptions,
): Promise<RetainedMessage | undefined> {
  const client = new mqtt.MqttClient(() => dial(), {
    protocolVersion: 5,
    clientId: `tightbeam-retained-${randomBytes(8).toString('hex')}`,
    username,
    ...(password !== undefined && { password }),
    reconnectPeriod: 0,
    connectTimeout: timeoutMs,
    resubscribe: false,
  });
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<never>((_, reject) => {
    const fail = (details: string): void => {
      reject(new BrokerFault('BROKER_UNAVAILABLE', details));
    };
    client.once('error', ({ message }) => {
      fail(message);
    });
    client.once('close', () => {
      fail('The broker closed the connection.');
    });
    timer = setTimeout(() => {
      fail('The broker does not answer.');
    }, timeoutMs);
  });
  try {
    return await Promise.race([ask(client, topic), ended]);
  } finally {
    clearTimeout(timer);
    client.on('error', () => undefined);
    client.end(true);
  }
}

async function ask(client: Client, topic: string): Promise<RetainedMessage | undefined> {
  let found: IPublishPacket | undefined;
  // The packet as it is: of QoS 2 the message itself comes two packets later.
  client.on('packetreceive', (packet) => {
    if (packet.cmd === 'publish' && packet.retain && packet.topic === topic) found ??= packet;
  });
  const granted = await client.subscribeAsync(topic, { qos: 2 });
  if (granted.some(({ qos }) => qos > 2)) {
    throw new BrokerFault('NOT_SUPPORTED', "The broker does not let the service's user subscribe to the topic.");
  }
  await client.unsubscribeAsync(topic);
  if (found === undefined) return undefined;
  const payload = Buffer.from(found.payload);
  // MQTT.js gathers the values of a name.
  const userProperties = Object.entries(found.properties?.userProperties ?? {}).flatMap(([name, values]) =>
    [values].flat().map((value) => [name, value] as const),
  );
  return {
    topic,
    qos: found.qos,
    payload,
    payloadBytes: payload.length,
    ...(userProperties.length > 0 && { userProperties }),
  };
}
