import { parser, type Packet } from 'mqtt-packet';
import { CONTROL_ID, CONTROL_PRINCIPAL, CONTROL_QOS, CONTROL_TIMEOUT } from '../../../src/direct/controls.js';
import { DELIVERY_MARGIN_MS } from '../../../src/direct/delivery.js';
import { DEFAULT_LIMITS } from '../../../src/direct/limits.js';
import { Dispatcher } from '../../../src/brokers/direct/dispatch.js';
import { OUTCOME_TOPIC, readOutcome } from '../../../src/brokers/direct/outcome-message.js';
import type { Party } from '../../../src/brokers/direct/message.js';
import { Receiver, type Outlet } from '../../../src/brokers/direct/receiver.js';
import { forMqttPacket, toUserProperties } from '../../../src/brokers/link/properties.js';

export const DEVICE = 'lock-17';
const MQTT5 = { protocolVersion: 5 } as const;
const SERVICE = 'tightbeam';

/** A PUBLISH that a device was written. */
interface Written {
  readonly id: string;
  readonly qos: number;
  readonly packetId: number;
  readonly connection: DeviceConnection;
  answer: 'none' | 'acknowledged' | 'rejected';
}

/** A PUBLISH that a sender sent at QoS 1. */
interface Sent {
  readonly id: string;
  readonly qos: 0 | 1;
  readonly at: number;
  readonly timeoutMs: number;
  answered: boolean;
}

/** Senders and one device around a dispatcher, and the promises that hold whatever happens in whatever order. */
export class World {
  readonly #senders = new Map<string, Sender>();
  readonly written: Written[] = [];
  readonly #sent: Sent[] = [];
  device: DeviceConnection | undefined;
  hasSession = false;
  /** Whether authorizations are answered later. */
  slow = false;
  readonly dispatcher = new Dispatcher({
    limits: DEFAULT_LIMITS,
    memory: { keepMs: Number.MAX_SAFE_INTEGER },
    connectionOf: (clientId) => (clientId === DEVICE ? this.device : undefined),
    hasSession: () => this.hasSession,
    authorize: () => (this.slow ? Promise.resolve(true) : true),
    report: () => undefined,
  });

  /** From the service, or from an ordinary client. */
  send(as: 'service' | 'client', id: string, timeoutMs: number, qos: 0 | 1): void {
    this.#senderOf(as).send(id, timeoutMs, qos);
  }

  /** The sender hangs up; the next to send is a new connection of the same. */
  leave(as: 'service' | 'client'): void {
    const sender = this.#senders.get(as);
    if (sender === undefined) return;
    this.#senders.delete(as);
    sender.hangUp();
  }

  connect(window: number): void {
    const before = this.device;
    this.device = new DeviceConnection(this, window);
    before?.end();
  }

  disconnect(): void {
    const before = this.device;
    this.device = undefined;
    before?.end();
  }

  /** The device answers one of the messages that it has not answered, the oldest first. */
  answer(which: number, code: number): void {
    const open = this.written.filter((one) => one.answer === 'none' && one.qos === 1 && one.connection === this.device);
    const one = open[which % (open.length || 1)];
    if (one === undefined || this.device === undefined) return;
    one.answer = code < 0x80 ? 'acknowledged' : 'rejected';
    if (!this.device.receiver.acknowledge({ cmd: 'puback', messageId: one.packetId, reasonCode: code })) {
      throw new Error('A PUBACK was not known.');
    }
  }

  stop(): void {
    for (const as of ['service', 'client'] as const) this.leave(as);
    this.disconnect();
  }

  /** Once all timeouts are over. */
  expectNothingOpen(): void {
    for (const { id, answered } of this.#sent) if (!answered) throw new Error(`${id} was never answered.`);
    if (this.dispatcher.pending.size > 0) throw new Error('Messages without an outcome are left.');
  }

  /** Never two for one identity, but where the connection that had the first is over and the device had not answered. */
  onWritten(one: Written): void {
    for (const earlier of this.written) {
      if (earlier.id !== one.id) continue;
      if (earlier.qos === 0) throw new Error(`${one.id} was handed over twice.`);
      if (earlier.answer !== 'none') throw new Error(`${one.id} was written again after the device had answered.`);
      if (!earlier.connection.closed) throw new Error(`${one.id} was written twice on connections that live.`);
    }
    this.written.push(one);
  }

  onAnswer(sent: Sent | undefined, code: number): void {
    if (sent === undefined) throw new Error('An answer to nothing.');
    if (sent.answered) throw new Error(`${sent.id} was answered twice.`);
    sent.answered = true;
    const took = performance.now() - sent.at;
    if (took > sent.timeoutMs + DELIVERY_MARGIN_MS) throw new Error(`${sent.id} was answered after ${took} ms.`);
    if (code >= 0x80) return;
    const arrived = this.written.some(
      ({ id, qos, answer }) => id === sent.id && (qos === 0 || answer === 'acknowledged'),
    );
    if (!arrived) throw new Error(`${sent.id} was answered with success, and the device has not acknowledged it.`);
  }

  track(sent: Sent): void {
    this.#sent.push(sent);
  }

  forget(sent: Iterable<Sent>): void {
    for (const one of sent) one.answered = true;
  }

  #senderOf(as: 'service' | 'client'): Sender {
    const known = this.#senders.get(as);
    if (known !== undefined) return known;
    const sender = new Sender(this, as === 'service');
    this.#senders.set(as, sender);
    return sender;
  }
}

/** A connection from which direct messages are sent. */
class Sender implements Party {
  readonly isMqtt5 = true;
  readonly isService: boolean;
  readonly sent: Party['sent'] = new Map();
  readonly receiver = undefined;
  readonly origin: NonNullable<Party['origin']>;
  readonly #world: World;
  readonly #open = new Map<number, Sent>();
  readonly #parser = parser(MQTT5);
  #packetId = 0;
  #told: { readonly packetId: number; readonly reason: string } | undefined;
  closed = false;

  constructor(world: World, isService: boolean) {
    this.#world = world;
    this.isService = isService;
    const username = isService ? SERVICE : 'backend';
    this.origin = { clientId: `${username}-1`, username, sourceIp: '127.0.0.1' };
    this.#parser.on('packet', (packet) => {
      this.#receive(packet);
    });
  }

  send(id: string, timeoutMs: number, qos: 0 | 1): void {
    this.#packetId += 1;
    const pairs: [string, string][] = [
      [CONTROL_ID, id],
      [CONTROL_TIMEOUT, String(timeoutMs)],
      [CONTROL_QOS, String(qos)],
    ];
    if (this.isService) pairs.push([CONTROL_PRINCIPAL, 'backend']);
    const one = { id, qos, at: performance.now(), timeoutMs, answered: false };
    this.#open.set(this.#packetId, one);
    this.#world.track(one);
    this.#world.dispatcher.publish(this, {
      cmd: 'publish',
      topic: `$dm/${DEVICE}/cmd`,
      payload: Buffer.from(id),
      qos: 1,
      retain: false,
      dup: false,
      messageId: this.#packetId,
      properties: forMqttPacket({ userProperties: toUserProperties(pairs) }),
    });
  }

  /** Nobody waits for what is open. */
  hangUp(): void {
    this.closed = true;
    this.#world.forget(this.#open.values());
    this.#world.dispatcher.forgetSender(this);
  }

  write(bytes: Buffer): void {
    if (this.closed) throw new Error('Something was written to a sender that is gone.');
    this.#parser.parse(bytes);
  }

  end(): void {
    throw new Error('A sender was disconnected.');
  }

  #receive(packet: Packet): void {
    if (packet.cmd === 'publish') {
      if (packet.topic !== OUTCOME_TOPIC) throw new Error(`Something on ${packet.topic}.`);
      this.#told = readOutcome(packet.payload);
    } else if (packet.cmd === 'puback') {
      const { messageId = 0, reasonCode = 0 } = packet;
      if (this.#told !== undefined && this.#told.packetId !== messageId) throw new Error('Told of another message.');
      if (this.isService && reasonCode >= 0x80 && this.#told === undefined) throw new Error('A failure without words.');
      this.#told = undefined;
      this.#world.onAnswer(this.#open.get(messageId), reasonCode);
    }
  }
}

/** A connection of the device, whose window ordinary messages share. */
export class DeviceConnection implements Party, Outlet {
  readonly isMqtt5 = true;
  readonly isService = false;
  readonly sent: Party['sent'] = new Map();
  readonly origin = { clientId: DEVICE, username: DEVICE, sourceIp: '127.0.0.1' };
  readonly version = 5;
  readonly maximumPacketSize = undefined;
  readonly receiveMaximum: number;
  readonly receiver: Receiver;
  readonly unsentBytes = 0;
  readonly #parser = parser(MQTT5);
  readonly #packetIds = new Set<number>();
  #lastPacketId = 0;
  #ordinary = 0;
  closed = false;

  constructor(world: World, window: number) {
    this.receiveMaximum = window;
    this.#parser.on('packet', (packet) => {
      if (packet.cmd !== 'publish') throw new Error(`The device got ${packet.cmd}.`);
      const { qos, messageId: packetId = 0, payload } = packet;
      world.onWritten({ id: payload.toString(), qos, packetId, connection: this, answer: 'none' });
    });
    this.receiver = new Receiver(this, world.dispatcher.pending, { window, queue: 8, sendBufferBytes: 65_536 });
  }

  get hasRoom(): boolean {
    return this.#packetIds.size + this.#ordinary < this.receiveMaximum;
  }

  /** So many ordinary messages are with the device, unacknowledged. */
  set ordinary(count: number) {
    this.#ordinary = Math.min(count, this.receiveMaximum - this.#packetIds.size);
    this.receiver.pump();
  }

  takePacketId(): number {
    // An ordinary message would have had to wait for this one, or be dropped.
    if (!this.hasRoom) throw new Error('A direct message took a place that was not free.');
    this.#packetIds.add((this.#lastPacketId += 1));
    return this.#lastPacketId;
  }

  releasePacketId(packetId: number): void {
    if (!this.#packetIds.delete(packetId)) throw new Error('A packet identifier was given back twice.');
  }

  write(bytes: Buffer): void {
    if (this.closed) throw new Error('Something was written to a connection that has ended.');
    this.#parser.parse(bytes);
  }

  end(): void {
    this.closed = true;
    this.receiver.close();
  }
}
