import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from 'mqtt';
import { randomBytes } from 'node:crypto';
import { BrokerFault, type BrokerMessage, type Publisher } from '../operations/broker.js';

export interface MqttPublisherOptions {
  /** `mqtt://` or `mqtts://`, one connection each; the first that is up is used. */
  readonly urls: readonly string[];
  /** The service's own user. The hook provider lets it publish: its callers were authorized before. */
  readonly username: string;
  readonly password?: string;
  readonly tls?: Pick<IClientOptions, 'ca' | 'cert' | 'key'>;
  /** How long a PUBACK may take, in milliseconds. */
  readonly timeoutMs?: number;
}

/**
 * Ordinary publishing over MQTT 5, on connections of its own, so that a flood of ordinary messages cannot fill the
 * window of the direct ones. Connections come back by themselves.
 */
export class MqttPublisher implements Publisher {
  readonly #clients: readonly MqttClient[];
  readonly #timeoutMs: number;

  constructor({ urls, username, password, tls, timeoutMs = 5_000 }: MqttPublisherOptions) {
    this.#timeoutMs = timeoutMs;
    this.#clients = urls.map((url) =>
      mqtt.connect(url, {
        ...tls,
        username,
        ...(password !== undefined && { password }),
        clientId: `tightbeam-publish-${randomBytes(6).toString('hex')}`,
        protocolVersion: 5,
        clean: true,
        queueQoSZero: false,
        resubscribe: false,
      }),
    );
    // Why a connection is away shows in the answers; MQTT.js tries again.
    for (const client of this.#clients) client.on('error', () => undefined);
  }

  /** Settles as soon as a connection is up. */
  async whenUp(): Promise<void> {
    if (this.#clients.some(({ connected }) => connected)) return;
    await new Promise<void>((resolve) => {
      for (const client of this.#clients)
        client.once('connect', () => {
          resolve();
        });
    });
  }

  async publish(message: BrokerMessage): Promise<void> {
    const client = this.#clients.find(({ connected }) => connected);
    if (client === undefined) throw new BrokerFault('BROKER_UNAVAILABLE', 'No connection to publish on is up.');
    const { topic, qos, retain } = message;
    const payload = Buffer.from(message.payload);
    const published = client.publishAsync(topic, payload, { qos, retain, properties: propertiesOf(message) });
    await withTimeout(published, this.#timeoutMs).catch((error: unknown) => {
      throw faultOf(error);
    });
  }

  /** Leaves in peace. Drain first: what has no PUBACK yet is answered BROKER_UNAVAILABLE. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.endAsync(!client.connected)));
  }
}

function propertiesOf({ properties, expirySeconds }: BrokerMessage): NonNullable<IPublishPacket['properties']> {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  return {
    ...(payloadFormatIndicator !== undefined && { payloadFormatIndicator }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData && { correlationData: Buffer.from(correlationData) }),
    ...(expirySeconds !== undefined && { messageExpiryInterval: expirySeconds }),
    ...(userProperties && { userProperties: groupByName(userProperties) }),
  };
}

/** MQTT.js has one array a name, which keeps the order of the values of each name. Names are the caller's: no prototype. */
function groupByName(pairs: readonly (readonly [name: string, value: string])[]): Record<string, string[]> {
  const groups = Object.create(null) as Record<string, string[]>;
  for (const [name, value] of pairs) (groups[name] ??= []).push(value);
  return groups;
}

/** MQTT.js rejects with the reason code of a PUBACK that is a failure. */
function faultOf(error: unknown): BrokerFault {
  const { message, code } = error as { readonly message: string; readonly code?: unknown };
  const why = typeof code === 'number' ? `The broker answered with 0x${code.toString(16)}: ${message}` : message;
  // 0x95: Packet too large, said before sending by the Maximum Packet Size of the broker.
  return new BrokerFault(code === 0x95 ? 'PAYLOAD_TOO_LARGE' : 'BROKER_UNAVAILABLE', why, { cause: error });
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`The broker did not acknowledge within ${timeoutMs} ms.`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
