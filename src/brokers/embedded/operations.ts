import type { IPublishPacket } from 'mqtt-packet';
import { once } from 'node:events';
import type { ClientInfo } from '../../exhook/wire.js';
import type {
  BrokerOperations,
  Connection as ConnectionInfo,
  DeleteHow,
  RetainedMessage,
  RetainedPage,
  RetainedSummary,
  Subscription,
} from '../../operations/broker.js';
import type { AedesBroker } from './aedes-client.js';
import type { ClientConnection } from './client-connection.js';
import type { AwaySession, Sessions } from './sessions.js';
import { pairsOf } from '../direct/user-properties.js';

export interface EmbeddedOperationsOptions {
  readonly aedes: AedesBroker;
  readonly sessions: Sessions;
  /** Tells the provider that the session of a client that is away has ended. */
  readonly terminated: (info: ClientInfo) => Promise<void>;
}

/** Why a connection ends that was deleted, in the words of EMQX. */
export const KICKED = 'kicked';
/** DISCONNECT reason code Administrative action (MQTT 5, section 3.14.2.1). */
const ADMINISTRATIVE_ACTION = 0x98;

/** What the data-plane API asks of a broker, from the memory of the embedded one. It does not date retained messages. */
export class EmbeddedOperations implements BrokerOperations {
  readonly #options: EmbeddedOperationsOptions;

  constructor(options: EmbeddedOperationsOptions) {
    this.#options = options;
  }

  getConnection(clientId: string): Promise<ConnectionInfo | undefined> {
    const { sessions } = this.#options;
    const live = sessions.connectionOf(clientId);
    const away = sessions.away(clientId);
    if (live !== undefined) return Promise.resolve(describeLive(live));
    return Promise.resolve(away && describeAway(away));
  }

  async deleteConnection({ clientId }: ConnectionInfo, { cleanSession, preventWill }: DeleteHow): Promise<boolean> {
    const { aedes, sessions, terminated } = this.#options;
    const live = sessions.connectionOf(clientId);
    if (live !== undefined) {
      const { client, socket } = live;
      if (preventWill) {
        client.will = null;
        await aedes.persistence.delWill({ id: clientId, brokerId: aedes.id });
      }
      if (cleanSession) client.sessionExpiryInterval = 0;
      const closed = socket.closed ? undefined : once(socket, 'close');
      live.end(ADMINISTRATIVE_ACTION, KICKED);
      await closed;
      if (cleanSession) await this.#wipe(live);
      return true;
    }
    const away = sessions.forget(clientId);
    if (away === undefined) return false;
    await this.#wipe(away.last);
    await terminated(away.info);
    return true;
  }

  async listSubscriptions(clientId: string): Promise<readonly Subscription[] | undefined> {
    const { aedes, sessions } = this.#options;
    const live = sessions.connectionOf(clientId);
    if (live !== undefined) {
      return Object.entries(live.client.subscriptions).map(([topicFilter, { qos }]) => ({ topicFilter, qos }));
    }
    if (sessions.away(clientId) === undefined) return undefined;
    const stored = await aedes.persistence.subscriptionsByClient({ id: clientId });
    return stored.map(({ topic, qos }) => ({ topicFilter: topic, qos }));
  }

  async getRetainedMessage(topic: string): Promise<RetainedMessage | undefined> {
    for await (const packet of this.#options.aedes.persistence.createRetainedStream(topic)) {
      const userProperties = pairsOf(packet.properties?.userProperties);
      return {
        ...summaryOf(packet),
        payload: Buffer.from(packet.payload),
        ...(userProperties.length > 0 && { userProperties }),
      };
    }
    return undefined;
  }

  /** In the order of the topics; a page begins behind the last topic of the one before. */
  async listRetainedMessages(limit: number, from?: string): Promise<RetainedPage> {
    const all: RetainedSummary[] = [];
    for await (const packet of this.#options.aedes.persistence.createRetainedStream('#')) {
      if (!packet.topic.startsWith('$')) all.push(summaryOf(packet));
    }
    const rest = all
      .filter(({ topic }) => from === undefined || topic > from)
      .sort((a, b) => (a.topic < b.topic ? -1 : 1));
    const messages = rest.slice(0, limit);
    const last = messages.at(-1);
    return { messages, ...(last && messages.length < rest.length && { next: last.topic }) };
  }

  /** Everything that a session outlives its connection by. Aedes does this too, but not for MQTT 3.1.1. */
  async #wipe({ client }: ClientConnection): Promise<void> {
    const { aedes } = this.#options;
    aedes.clearSessionExpiry(client.id);
    await aedes.persistence.cleanSubscriptions(client);
    await new Promise<void>((resolve) => {
      client.emptyOutgoingQueue(resolve);
    });
  }
}

function describeLive(connection: ClientConnection): ConnectionInfo {
  const { endpoints, socket, connectedSince } = connection;
  const { peerhost, peerport, sockport } = endpoints;
  const targetIp = socket.localAddress;
  return {
    ...describeSession(connection),
    connected: true,
    ...(connectedSince !== undefined && { connectedSince }),
    socket: {
      sourceIp: peerhost,
      sourcePort: peerport,
      targetPort: sockport,
      ...(targetIp !== undefined && { targetIp }),
    },
  };
}

function describeAway({ last, since }: AwaySession): ConnectionInfo {
  const { endReason = 'tcp_closed' } = last;
  return { ...describeSession(last), connected: false, disconnectedSince: since, disconnectReason: endReason };
}

function describeSession({ client, connect, info }: ClientConnection): Omit<ConnectionInfo, 'connected'> {
  return {
    clientId: client.id,
    protocolVersion: client.version,
    ...(info !== undefined && info.username !== '' && { username: info.username }),
    cleanSession: client.sessionExpiryInterval === 0,
    sessionExpirySeconds: client.sessionExpiryInterval,
    ...(connect?.keepalive !== undefined && { keepAliveSeconds: connect.keepalive }),
  };
}

function summaryOf({ topic, qos, payload }: IPublishPacket): RetainedSummary {
  return { topic, qos, payloadBytes: Buffer.byteLength(payload) };
}
