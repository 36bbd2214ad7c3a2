import { Receiver } from '../direct/receiver.js';
import { BrokerWindow } from './broker-window.js';
import type { DoorConnection } from './connection.js';
import { Downstream } from './downstream.js';
import { DoorOutlet } from './outlet.js';
import { PacketIds } from './packet-ids.js';
import { Subscriptions } from './subscriptions.js';
import { TopicAliases } from './topic-aliases.js';
import { Upstream } from './upstream.js';
import type { Connack } from './wire/connack.js';
import type { Connect } from './wire/connect.js';

/** Messages of QoS 1 and 2 that an MQTT 5 client may send without an answer; more where the broker takes more. */
const RECEIVE_MAXIMUM = 4_096;

/** Receive Maximum of a client that says nothing (section 3.1.2.11.3), and of MQTT 3, whose identifiers are as many. */
const MOST = 65_535;

/** What there is of a connection from CONNACK on. */
export class Session {
  readonly connectedSince = Date.now();
  /** Whether the broker had kept a session, of which the door may not have seen the beginning. */
  readonly resumed: boolean;
  readonly ids: PacketIds;
  readonly receiver: Receiver;
  readonly subscriptions = new Subscriptions();
  readonly window: BrokerWindow;
  readonly upstream: Upstream;
  readonly downstream: Downstream;
  /** What the client is told that it may send without an answer. */
  readonly receiveMaximum: number;
  /** In seconds. What a DISCONNECT of the client says of it counts (section 3.14.2.2.2). */
  sessionExpiry: number;
  /** In seconds, 0 for none. */
  readonly keepAlive: number;
  /**
   * The client's Receive Maximum, which broker and door share. The broker is told all of it: its message waits here where
   * a direct one has the place, and direct ones wait behind it, so that no more wait than direct ones are in flight.
   */
  readonly #clientMaximum: number;
  #lastToBroker = performance.now();
  #pings = 0;
  #clientPings = 0;

  constructor(
    readonly connection: DoorConnection,
    connect: Connect,
    connack: Connack,
  ) {
    const { context } = connection;
    const receiverLimits = context.limits.receiver;
    this.resumed = connack.sessionPresent;
    this.#clientMaximum = connect.receiveMaximum ?? MOST;
    this.receiveMaximum = Math.max(RECEIVE_MAXIMUM, connack.receiveMaximum);
    this.sessionExpiry = connack.sessionExpiry ?? connect.sessionExpiry;
    this.keepAlive = connack.serverKeepAlive ?? connect.keepAlive;
    this.window = new BrokerWindow(connect.version === 5 ? connack.receiveMaximum : Infinity);
    this.ids = context.packetIds(connection.clientId, connack.sessionPresent);
    this.receiver = new Receiver(new DoorOutlet(this, connect), context.dispatcher.pending, receiverLimits);
    this.upstream = new Upstream(this, new TopicAliases(connack.topicAliasMaximum));
    this.downstream = new Downstream(this, new TopicAliases(connect.topicAliasMaximum));
  }

  /** Whether the client takes one more message of QoS 1 or 2. */
  get hasRoom(): boolean {
    return this.ids.exchanges + this.receiver.inFlight < this.#clientMaximum;
  }

  /** Something of the client goes to the broker. */
  heard(): void {
    this.#lastToBroker = performance.now();
  }

  /**
   * Something of the client does not go to the broker, whose Keep Alive (section 3.1.2.10) counts only what does. After a
   * quarter of it, so that at the most one and a quarter pass between two packets, where one and a half end the connection.
   */
  swallowed(): void {
    if (this.keepAlive === 0 || performance.now() - this.#lastToBroker < this.keepAlive * 250) return;
    this.#pings += 1;
    this.heard();
    this.connection.tellBroker({ cmd: 'pingreq' });
  }

  pinged(): void {
    this.#clientPings += 1;
  }

  /** True where the client asked for the answer, and not the door alone. */
  ponged(): boolean {
    if (this.#clientPings > 0) {
      this.#clientPings -= 1;
      return true;
    }
    this.#pings -= 1;
    return this.#pings < 0;
  }
}
