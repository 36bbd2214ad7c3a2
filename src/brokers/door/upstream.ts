import { isUnderDirect } from '../../direct/topic.js';
import { MOST_HELD_BYTES } from './broker-window.js';
import { Code, wordOf } from './codes.js';
import type { ClientPackets } from './connection.js';
import type { Session } from './session.js';
import type { TopicAliases } from './topic-aliases.js';
import { frameOf, PacketType, type Frame } from './wire/frame.js';
import { Malformed, protocolError } from './wire/malformed.js';
import { parsePacket } from './wire/parse.js';
import { numberOf, Property, readProperties } from './wire/properties.js';
import { packetIdOf, readPublish, reasonCodeOf, withTopic, type Publish } from './wire/publish.js';
import { Reader } from './wire/reader.js';
import { readSubscribe, readUnsubscribe, withSubscriptions } from './wire/subscribe.js';

/** Flags that are fixed for a type (MQTT 5, section 2.1.3). PUBLISH has its own. */
const FLAGS: Readonly<Record<number, number>> = {
  [PacketType.PUBREL]: 2,
  [PacketType.SUBSCRIBE]: 2,
  [PacketType.UNSUBSCRIBE]: 2,
};

/** What a client sends from CONNACK on. */
export class Upstream implements ClientPackets {
  #disconnected = false;

  constructor(
    private readonly session: Session,
    private readonly aliases: TopicAliases,
  ) {}

  get isHeld(): boolean {
    return this.session.window.isFull;
  }

  get isWaiting(): boolean {
    return this.session.window.heldBytes > 0;
  }

  /** @throws Malformed */
  take(frame: Frame): void {
    // Nothing counts behind DISCONNECT (section 3.14.4).
    if (this.#disconnected) return;
    if (frame.type !== PacketType.PUBLISH && frame.flags !== (FLAGS[frame.type] ?? 0)) {
      throw new Malformed(`A packet of type ${frame.type} has the flags ${frame.flags}.`);
    }
    switch (frame.type) {
      case PacketType.PUBLISH:
        this.#publish(frame);
        break;
      case PacketType.PUBACK:
        this.#puback(frame);
        break;
      case PacketType.PUBREC:
        this.#pubrec(frame);
        break;
      case PacketType.PUBCOMP:
        this.#pubcomp(frame);
        break;
      case PacketType.PUBREL:
        this.#pass(frame);
        break;
      case PacketType.SUBSCRIBE:
        this.#subscribe(frame);
        break;
      case PacketType.UNSUBSCRIBE:
        this.#unsubscribe(frame);
        break;
      case PacketType.PINGREQ:
        this.session.pinged();
        this.#pass(frame);
        break;
      case PacketType.DISCONNECT:
        this.#disconnect(frame);
        break;
      case PacketType.AUTH:
        if (!this.session.connection.isMqtt5) throw protocolError('AUTH is of MQTT 5.');
        this.#pass(frame);
        break;
      default:
        throw protocolError(`A client does not send packets of type ${frame.type}.`);
    }
  }

  /** What the broker has room for again. */
  passAll(frames: readonly Frame[]): void {
    for (const frame of frames) this.#pass(frame);
    this.session.connection.broker?.flush();
  }

  #pass(frame: Frame): void {
    this.session.heard();
    this.session.connection.broker?.pass(frame);
  }

  #publish(frame: Frame): void {
    const { connection } = this.session;
    const publish = readPublish(frame, connection.version);
    const topic = this.aliases.topicOf(publish);
    if (isUnderDirect(topic)) {
      this.#direct(frame, publish, topic);
      return;
    }
    if (/[+#]/.test(topic)) throw new Malformed('The topic of a PUBLISH holds a wildcard.', Code.TOPIC_NAME_INVALID);
    if (!connection.context.rules.publish(connection, topic, publish)) {
      this.#refuse(publish);
      return;
    }
    this.#mayAnswer(frame, topic);
    const whole = this.aliases.needsTopic(publish) ? frameOf(withTopic(frame, topic)) : frame;
    if (publish.qos === 0) this.#hold(whole, undefined);
    else {
      this.#checkReceiveMaximum();
      this.#hold(whole, publish.packetId);
    }
  }

  #direct(frame: Frame, publish: Publish, topic: string): void {
    const { connection } = this.session;
    if (publish.qos > 0) this.#checkReceiveMaximum();
    const packet = parsePacket('publish', frame.bytes, connection.version);
    packet.topic = topic;
    connection.context.dispatcher.publish(connection, packet);
    this.session.swallowed();
  }

  /** What it publishes may be the answer to a request, and goes on all the same. */
  #mayAnswer({ bytes }: Frame, topic: string): void {
    const { connection } = this.session;
    const { answers } = connection.context.dispatcher;
    if (!answers.areAwaited || !answers.isAwaited(connection.clientId, topic)) return;
    const packet = parsePacket('publish', bytes, connection.version);
    packet.topic = topic;
    answers.published(connection, packet);
  }

  /** Section 3.3.4: the client was told how many it may send. */
  #checkReceiveMaximum(): void {
    const { connection, window, receiveMaximum } = this.session;
    if (!connection.isMqtt5 || window.size + connection.sent.size < receiveMaximum) return;
    throw new Malformed('More than the Receive Maximum.', Code.RECEIVE_MAXIMUM_EXCEEDED);
  }

  /** What policies refuse: a reason code where the protocol has one, the end of the connection where it has none. */
  #refuse({ qos, packetId }: Publish): void {
    const { connection } = this.session;
    if (qos > 0 && !connection.isMqtt5) {
      connection.end(Code.NOT_AUTHORIZED, 'not_authorized');
      return;
    }
    if (qos > 0) {
      connection.tell({ cmd: qos === 1 ? 'puback' : 'pubrec', messageId: packetId, reasonCode: Code.NOT_AUTHORIZED });
    }
    this.session.swallowed();
  }

  #hold(frame: Frame, packetId: number | undefined): void {
    const { window, connection } = this.session;
    if (!connection.isMqtt5 || window.admit(frame, packetId)) this.#pass(frame);
    else if (window.heldBytes > MOST_HELD_BYTES) {
      throw new Malformed('Too much waits for the broker.', Code.QUOTA_EXCEEDED);
    }
  }

  #puback(frame: Frame): void {
    const { ids, receiver, connection } = this.session;
    const id = packetIdOf(frame);
    const brokerId = ids.toBroker(id, 1);
    if (brokerId === undefined) {
      if (ids.isDirect(id)) receiver.acknowledge(parsePacket('puback', frame.bytes, connection.version));
      this.session.swallowed();
      return;
    }
    ids.release(id);
    this.#answer(frame, brokerId);
  }

  #pubrec(frame: Frame): void {
    const { ids } = this.session;
    const id = packetIdOf(frame);
    const brokerId = ids.toBroker(id, 2);
    if (brokerId === undefined) {
      // A direct message has QoS 1 (section 4.3.2).
      if (ids.isDirect(id)) throw protocolError('PUBREC for a message of QoS 1.');
      this.session.swallowed();
      return;
    }
    // A failure ends the exchange (section 4.3.3).
    if (reasonCodeOf(frame) >= 0x80) ids.release(id);
    this.#answer(frame, brokerId);
  }

  #pubcomp(frame: Frame): void {
    const { ids } = this.session;
    const id = packetIdOf(frame);
    const brokerId = ids.toBroker(id, 2);
    if (brokerId === undefined) {
      this.session.swallowed();
      return;
    }
    ids.release(id);
    this.#answer(frame, brokerId);
  }

  #answer(frame: Frame, brokerId: number): void {
    frame.bytes.writeUInt16BE(brokerId, frame.body);
    this.#pass(frame);
    this.session.downstream.pump();
    this.session.receiver.pump();
  }

  #subscribe(frame: Frame): void {
    const { connection, subscriptions } = this.session;
    const subscribe = readSubscribe(frame, connection.version);
    const verdict = subscriptions.asked(connection, subscribe);
    if (verdict === 'all') {
      this.#pass(frame);
    } else if (verdict.kept.length === 0) {
      connection.tell({ cmd: 'suback', messageId: subscribe.packetId, granted: verdict.codes });
      this.session.swallowed();
    } else {
      this.#pass(frameOf(withSubscriptions(frame, subscribe, verdict.kept)));
    }
  }

  #unsubscribe(frame: Frame): void {
    const { connection, subscriptions } = this.session;
    const unsubscribe = readUnsubscribe(frame, connection.version);
    subscriptions.givenUp(unsubscribe);
    connection.context.rules.unsubscribed(connection, unsubscribe.filters);
    this.#pass(frame);
  }

  #disconnect(frame: Frame): void {
    this.#disconnected = true;
    const { session } = this;
    const { connection, window } = session;
    let word = 'normal';
    if (connection.isMqtt5 && frame.bytes.length > frame.body) {
      word = wordOf(frame.bytes[frame.body] as number, 'normal');
      const reader = new Reader(frame.bytes, frame.body + 1);
      const expiry = reader.done ? undefined : numberOf(readProperties(reader), Property.SessionExpiryInterval);
      if (expiry !== undefined) session.sessionExpiry = expiry;
    }
    if (window.admit(frame, undefined)) this.#pass(frame);
    connection.bye(word);
  }
}
