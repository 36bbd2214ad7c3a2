import { once } from 'node:events';
import {
  BrokerFault,
  type BrokerOperations,
  type Connection,
  type DeleteHow,
  type RetainedMessage,
  type Subscription,
} from '../../operations/broker.js';
import type { AwaySession } from './away.js';
import { Code } from './codes.js';
import type { DoorConnection } from './connection.js';
import type { Door } from './door.js';
import { readRetained } from './retained.js';
import type { Session } from './session.js';

/** DISCONNECT reason codes (MQTT 5, section 3.14.2.1): without the will, and with it. */
const NORMAL = 0x00;
const WITH_WILL = 0x04;

/**
 * What the data-plane API asks of a broker, as far as the door saw it pass: sessions and subscriptions of before its start
 * it does not know. What the broker retains it asks the broker.
 */
export class DoorOperations implements BrokerOperations {
  /** @param service the service's user on the broker. */
  constructor(
    private readonly door: Pick<Door, 'connectionOf' | 'away' | 'dial'>,
    private readonly service: { readonly username: string; readonly password?: string | undefined },
  ) {}

  getConnection(clientId: string): Promise<Connection | undefined> {
    const live = this.door.connectionOf(clientId);
    if (live?.session !== undefined) return Promise.resolve(describeLive(live, live.session));
    const away = this.door.away.get(clientId);
    return Promise.resolve(away && describeAway(clientId, away));
  }

  async deleteConnection({ clientId }: Connection, how: DeleteHow): Promise<boolean> {
    const live = this.door.connectionOf(clientId);
    if (live?.session === undefined) {
      if (this.door.away.get(clientId) === undefined) return false;
      throw new BrokerFault('NOT_SUPPORTED', 'The door cannot end the session of a client that is away.');
    }
    tellBroker(live, live.session, how);
    const { stream } = live.client;
    const closed = stream.closed ? undefined : once(stream, 'close');
    live.end(Code.ADMINISTRATIVE_ACTION, 'kicked');
    await closed;
    return true;
  }

  listSubscriptions(clientId: string): Promise<readonly Subscription[] | undefined> {
    const live = this.door.connectionOf(clientId);
    if (live?.session?.resumed === true || (live === undefined && this.door.away.get(clientId) !== undefined)) {
      const why =
        'The door knows the subscriptions that were made since the session began in front of it, and it was resumed.';
      return Promise.reject(new BrokerFault('NOT_SUPPORTED', why));
    }
    return Promise.resolve(live?.session?.subscriptions.list());
  }

  async getRetainedMessage(topic: string): Promise<RetainedMessage | undefined> {
    const stream = await this.door.dial().catch((error: unknown) => {
      throw new BrokerFault('BROKER_UNAVAILABLE', String(error));
    });
    return stream && readRetained(topic, { ...this.service, dial: () => stream });
  }

  listRetainedMessages(): Promise<never> {
    return Promise.reject(new BrokerFault('NOT_SUPPORTED', 'MQTT has no way to list what a broker retains.'));
  }
}

/** The broker's side of the end: whether it publishes the will, and whether it keeps the session. */
function tellBroker(connection: DoorConnection, session: Session, { cleanSession, preventWill }: DeleteHow): void {
  const endsSession = cleanSession && session.sessionExpiry > 0;
  if (!connection.isMqtt5) {
    if (endsSession) throw new BrokerFault('NOT_SUPPORTED', 'The door cannot end a session of MQTT 3.1.1.');
    if (preventWill) connection.tellBroker({ cmd: 'disconnect' });
    return;
  }
  // Section 3.14.2.2.2.
  if (endsSession) session.sessionExpiry = 0;
  connection.tellBroker({
    cmd: 'disconnect',
    reasonCode: preventWill ? NORMAL : WITH_WILL,
    ...(endsSession && { properties: { sessionExpiryInterval: 0 } }),
  });
}

function describeLive({ clientId, endpoints, version, identity }: DoorConnection, session: Session): Connection {
  const { sourceIp, sourcePort, targetIp, targetPort } = endpoints;
  return {
    clientId,
    connected: true,
    protocolVersion: version,
    ...(identity?.username !== undefined && { username: identity.username }),
    cleanSession: session.sessionExpiry === 0,
    keepAliveSeconds: session.keepAlive,
    sessionExpirySeconds: session.sessionExpiry,
    connectedSince: session.connectedSince,
    socket: {
      sourceIp,
      sourcePort,
      ...(targetIp !== undefined && { targetIp }),
      ...(targetPort !== undefined && { targetPort }),
    },
  };
}

function describeAway(clientId: string, { keepAlive, sessionExpiry, since, endReason }: AwaySession): Connection {
  return {
    clientId,
    connected: false,
    cleanSession: false,
    keepAliveSeconds: keepAlive,
    sessionExpirySeconds: sessionExpiry,
    disconnectedSince: since,
    disconnectReason: endReason,
  };
}
