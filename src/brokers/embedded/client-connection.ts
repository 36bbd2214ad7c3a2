import type { IConnectPacket } from 'mqtt-packet';
import type { Socket } from 'node:net';
import type { ConnectionLifecycle } from '../../clients/lifecycle.js';
import { gatherWrites } from '../link/gather-writes.js';
import type { Party, PendingMessage } from '../direct/message.js';
import type { Receiver } from '../direct/receiver.js';
import type { ClientInfo } from '../../exhook/wire.js';
import type { AedesClient } from './aedes-client.js';
import { endpointsOf, type Endpoints } from './client-info.js';

/** One network connection and what the broker knows of it beyond Aedes. */
export class ClientConnection implements Party {
  readonly socket: Socket;
  readonly client: AedesClient;
  readonly endpoints: Endpoints;
  /** The CONNECT, from its arrival on. */
  connect: IConnectPacket | undefined;
  /** From authentication on. */
  info: ClientInfo | undefined;
  /** True where the service's own user was authenticated. */
  isService = false;
  /** From CONNACK on: direct messages can be delivered. */
  receiver: Receiver | undefined;
  /** Direct messages that this connection sent at QoS 1 and that have no answer yet, by packet identifier. */
  readonly sent = new Map<number, PendingMessage>();
  /** What this connection was allowed, with the time at which that is to be asked again. */
  readonly allowed = new Map<string, number>();
  /** What the provider is being asked for this connection. */
  readonly asking = new Map<string, Promise<boolean>>();
  /** Why the connection ends, in the words of EMQX; `tcp_closed` where nobody said. */
  endReason: string | undefined;
  /** Time of CONNACK, in milliseconds since 1970. */
  connectedSince: number | undefined;
  /** Carries on an earlier session. */
  resumed = false;
  /** Where such events are published, from CONNACK on. */
  lifecycle: ConnectionLifecycle | undefined;
  /** True from OnClientConnected to OnClientDisconnected. */
  announced = false;

  constructor(client: AedesClient) {
    this.client = client;
    this.socket = client.conn;
    this.endpoints = endpointsOf(client.conn);
  }

  get isMqtt5(): boolean {
    return this.client.version === 5;
  }

  get closed(): boolean {
    return this.client.closed;
  }

  get origin(): Party['origin'] {
    const { info } = this;
    if (info === undefined) return undefined;
    return { clientId: info.clientid, username: info.username || undefined, sourceIp: info.peerhost };
  }

  write(bytes: Buffer): void {
    gatherWrites(this.socket);
    this.socket.write(bytes);
  }

  /**
   * Ends the connection from the broker's side: MQTT 5 clients are told a reason code in DISCONNECT (section 3.14.2.1),
   * older ones have no such packet.
   */
  end(reasonCode: number, endReason: string): void {
    this.endReason ??= endReason;
    this.client.disconnect({ reasonCode });
  }
}
