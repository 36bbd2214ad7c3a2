import { wordOf } from './codes.js';
import type { BrokerPackets } from './connection.js';
import type { Session } from './session.js';
import type { TopicAliases } from './topic-aliases.js';
import { frameOf, PacketType, type Frame } from './wire/frame.js';
import { packetIdOf, placeOfPacketId, readPublish, reasonCodeOf, withTopic, type Publish } from './wire/publish.js';
import { readCodes, withCodes } from './wire/subscribe.js';

/** What the broker sends from CONNACK on. */
export class Downstream implements BrokerPackets {
  /** Messages of QoS 1 and 2 that the client has no room for; no more than the broker was told that it may send. */
  readonly #held: Frame[] = [];
  /** The broker's identifiers of QoS 2 messages that the client does not get, till the exchange is over; from the first on. */
  #withheld: Set<number> | undefined;

  constructor(
    private readonly session: Session,
    private readonly aliases: TopicAliases,
  ) {}

  /** Whether the broker's messages wait for room, so that direct ones wait behind them. */
  get isWaiting(): boolean {
    return this.#held.length > 0;
  }

  /** @throws Malformed */
  take(frame: Frame): void {
    const { session } = this;
    const { connection, window } = session;
    const { client } = connection;
    switch (frame.type) {
      case PacketType.PUBLISH:
        this.#publish(frame);
        break;
      case PacketType.PUBREL:
        this.#pubrel(frame);
        break;
      case PacketType.PUBREC:
        client.pass(frame);
        if (reasonCodeOf(frame) >= 0x80) this.#released(packetIdOf(frame));
        else window.received(packetIdOf(frame));
        break;
      case PacketType.PUBACK:
      case PacketType.PUBCOMP:
        client.pass(frame);
        this.#released(packetIdOf(frame));
        break;
      case PacketType.SUBACK:
        this.#suback(frame);
        break;
      case PacketType.UNSUBACK:
        session.subscriptions.unsubscribed(packetIdOf(frame));
        client.pass(frame);
        break;
      case PacketType.PINGRESP:
        if (session.ponged()) client.pass(frame);
        break;
      case PacketType.DISCONNECT:
        client.pass(frame);
        connection.bye(wordOf(frame.bytes[frame.body] ?? 0, 'server_shutting_down'));
        break;
      default:
        client.pass(frame);
    }
  }

  /** Brings what had no room for as long as there is some. */
  pump(): void {
    const { session } = this;
    while (session.hasRoom) {
      const frame = this.#held.shift();
      if (frame === undefined) break;
      this.#bring(frame);
    }
    session.connection.client.flush();
  }

  #publish(frame: Frame): void {
    const { session, aliases } = this;
    const { connection } = session;
    const publish = readPublish(frame, connection.version);
    const topic = aliases.topicOf(publish);
    if (!connection.context.rules.receive(connection, topic)) {
      this.#withhold(publish);
      return;
    }
    connection.context.rules.delivered(connection, topic, publish);
    const whole = aliases.needsTopic(publish) ? frameOf(withTopic(frame, topic)) : frame;
    if (publish.qos === 0) connection.client.pass(whole);
    else if (this.#held.length > 0 || !session.hasRoom) this.#held.push(whole);
    else this.#bring(whole);
  }

  #bring(frame: Frame): void {
    const { ids, connection } = this.session;
    const { packetId, packetIdAt, qos } = placeOfPacketId(frame);
    const id = ids.toClient(packetId, qos);
    if (id !== packetId) frame.bytes.writeUInt16BE(id, packetIdAt);
    connection.client.pass(frame);
  }

  /** As at AWS IoT: the client does not get it, and to the broker it has been delivered. */
  #withhold({ qos, packetId }: Publish): void {
    const { connection } = this.session;
    if (qos === 1) connection.tellBroker({ cmd: 'puback', messageId: packetId });
    if (qos === 2) {
      this.#withheld ??= new Set();
      this.#withheld.add(packetId);
      connection.tellBroker({ cmd: 'pubrec', messageId: packetId });
    }
  }

  #pubrel(frame: Frame): void {
    const { ids, connection } = this.session;
    const brokerId = packetIdOf(frame);
    if (this.#withheld?.delete(brokerId) === true) {
      connection.tellBroker({ cmd: 'pubcomp', messageId: brokerId });
      return;
    }
    frame.bytes.writeUInt16BE(ids.toClient(brokerId, 2), frame.body);
    connection.client.pass(frame);
  }

  /** The broker has ended an exchange of the client's. */
  #released(packetId: number): void {
    const { window, upstream, connection } = this.session;
    if (!connection.isMqtt5) return;
    const free = window.release(packetId);
    if (free.length > 0) {
      upstream.passAll(free);
      connection.pumpClient();
    }
  }

  #suback(frame: Frame): void {
    const { connection, subscriptions } = this.session;
    const { packetId, codesAt, codes } = readCodes(frame, connection.version);
    const all = subscriptions.answered(connection, packetId, codes);
    if (all === undefined) connection.client.pass(frame);
    else connection.client.write(withCodes(frame, codesAt, all));
  }
}
