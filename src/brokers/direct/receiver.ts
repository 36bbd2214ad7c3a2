import { generate, type IPubackPacket, type IPublishPacket } from 'mqtt-packet';
import type { Delivery } from '../../direct/delivery.js';
import type { Reason } from '../../reasons.js';
import { deviceProperties } from './device-properties.js';
import type { PendingMessage, Remembered, ReceivingSide } from './message.js';
import type { PendingTable } from './pending.js';

export interface ReceiverLimits {
  /** Most unacknowledged direct messages to one device; its Receive Maximum (MQTT 5, section 3.1.2.11.3) if lower. */
  readonly window: number;
  /** Most direct messages that wait for the window, or for the authorization, of one device. */
  readonly queue: number;
  /** Above this many unsent bytes, direct messages wait until the socket has drained. */
  readonly sendBufferBytes: number;
}

/** The way to one device. */
export interface Outlet {
  readonly version: 3 | 4 | 5;
  /** Of the device (MQTT 5, section 3.1.2.11.4), where it has one. */
  readonly maximumPacketSize: number | undefined;
  /** Direct messages that the device takes without an answer. */
  readonly receiveMaximum: number;
  readonly closed: boolean;
  /** Bytes that wait to be sent. */
  readonly unsentBytes: number;
  /** Whether there is a place for one more message of QoS 1 beside whatever else the device is sent. */
  readonly hasRoom: boolean;
  /** An identifier that nothing else towards the device has in use, until it is released. */
  takePacketId(): number;
  releasePacketId(packetId: number): void;
  write(bytes: Buffer): void;
}

/** A message on its way to the device. Whoever waited for it may have given up; what is remembered of it goes on. */
interface Flight {
  readonly message: PendingMessage | undefined;
  readonly remembered: Remembered | undefined;
}

/** A PUBACK with one of these is a failure (section 3.4.2.1). */
const FIRST_FAILURE = 0x80;

const PROTOCOL = { 3: { protocolVersion: 3 }, 4: { protocolVersion: 4 }, 5: { protocolVersion: 5 } } as const;

/**
 * The receiving side of one connection: brings direct messages to the device in the order in which they came, and keeps
 * its window. What else the device is sent is the outlet's.
 */
export class Receiver implements ReceivingSide {
  readonly #outlet: Outlet;
  readonly #pending: PendingTable;
  readonly #limits: ReceiverLimits;
  readonly #window: number;
  /** In order of arrival; true once the device may receive it. */
  readonly #queue = new Map<PendingMessage, boolean>();
  /**
   * By packet identifier. One whose message was given up stays until the device acknowledges it: the identifier is in
   * use (section 2.2.1) and so is the place in the window (section 4.9).
   */
  readonly #inflight = new Map<number, Flight>();
  answersBare = false;

  constructor(outlet: Outlet, pending: PendingTable, limits: ReceiverLimits) {
    this.#outlet = outlet;
    this.#pending = pending;
    this.#limits = limits;
    this.#window = Math.min(limits.window, outlet.receiveMaximum);
  }

  /** Messages of QoS 1 that the device has not acknowledged. */
  get inFlight(): number {
    return this.#inflight.size;
  }

  accept(message: PendingMessage, mayReceive: boolean | Promise<boolean>): void {
    if (this.#queue.size >= this.#limits.queue) {
      this.#pending.settle(message, 'RECEIVER_THROTTLED');
      return;
    }
    message.receiver = this;
    if (mayReceive === false) {
      this.#pending.settle(message, 'RECEIVER_NOT_AUTHORIZED');
      return;
    }
    this.#queue.set(message, mayReceive === true);
    if (mayReceive !== true) {
      void mayReceive.then((allowed) => {
        if (!allowed) this.#pending.settle(message, 'RECEIVER_NOT_AUTHORIZED');
        else if (this.#queue.has(message)) this.#queue.set(message, true);
        this.pump();
      });
    }
    this.pump();
  }

  isHeldUp(message: PendingMessage): boolean {
    return this.#queue.get(message) === true;
  }

  /** Whether the packet identifier is that of a direct message which the device has not acknowledged. */
  awaits(packetId: number): boolean {
    return this.#inflight.has(packetId);
  }

  /**
   * The device's PUBACK: a failure code in it (section 3.4.2.1) is the device's no.
   *
   * @returns false where the packet identifier is none of direct messages.
   */
  acknowledge({ messageId: packetId = 0, reasonCode: code = 0, properties }: IPubackPacket): boolean {
    const flight = this.#inflight.get(packetId);
    if (flight === undefined) return false;
    this.#inflight.delete(packetId);
    this.#outlet.releasePacketId(packetId);
    const { message } = flight;
    if (code >= FIRST_FAILURE) {
      this.#land(flight, 'RECEIVER_REJECTED', { device: { code, reasonString: properties?.reasonString } });
    } else if (message === undefined) {
      this.#land(flight, 'DELIVERED', {});
    } else {
      message.packetId = undefined;
      this.#pending.acknowledged(message);
    }
    this.pump();
    return true;
  }

  #land({ message, remembered }: Flight, reason: Reason, more: Partial<Delivery>): void {
    if (message !== undefined) this.#pending.settle(message, reason, more);
    else if (remembered !== undefined) this.#pending.late(remembered, { reason, written: 'yes', ...more });
  }

  forget(message: PendingMessage): void {
    if (this.#queue.delete(message) || message.packetId === undefined) return;
    if (this.#inflight.get(message.packetId)?.message !== message) return;
    message.unacknowledged = true;
    this.#inflight.set(message.packetId, { message: undefined, remembered: message.remembered });
  }

  /** The connection is gone, and every message with it. */
  close(): void {
    const waiting = [...this.#queue.keys()];
    const flights = [...this.#inflight.values()];
    this.#queue.clear();
    this.#inflight.clear();
    for (const message of waiting) this.#pending.settle(message, 'RECEIVER_DISCONNECTED');
    for (const flight of flights) this.#land(flight, 'RECEIVER_DISCONNECTED', {});
  }

  /**
   * Sends from the head of the queue for as long as it is allowed and there is room. To be called when the outlet has room
   * again.
   */
  pump(): void {
    for (const [message, allowed] of this.#queue) {
      if (this.#outlet.closed || !allowed || this.#outlet.unsentBytes > this.#limits.sendBufferBytes) return;
      if (message.qos === 1 && (this.#inflight.size >= this.#window || !this.#outlet.hasRoom)) return;
      this.#queue.delete(message);
      this.#send(message);
    }
  }

  #send(message: PendingMessage): void {
    const packet = this.#toPublish(message);
    const options = PROTOCOL[this.#outlet.version];
    // Whole: the socket takes a dozen pieces less willingly than one buffer.
    const bytes = generate(packet, options);
    const maximum = this.#outlet.maximumPacketSize;
    // A packet over the client's Maximum Packet Size must not be sent (section 3.1.2.11.4).
    if (maximum !== undefined && bytes.length > maximum) {
      if (packet.messageId !== undefined) this.#outlet.releasePacketId(packet.messageId);
      this.#pending.settle(message, 'PAYLOAD_TOO_LARGE');
      return;
    }
    // Registered first: nothing that comes back can be too early.
    if (packet.messageId !== undefined) {
      message.packetId = packet.messageId;
      this.#inflight.set(packet.messageId, { message, remembered: message.remembered });
    }
    this.#pending.wrote(message);
    this.#outlet.write(bytes);
    if (message.qos === 0) this.#pending.settle(message, 'DISPATCHED');
  }

  #toPublish(message: PendingMessage): IPublishPacket {
    const properties =
      this.#outlet.version === 5 ? deviceProperties(message.packet.properties, message.sender.isService) : undefined;
    return {
      cmd: 'publish',
      topic: message.address.topic,
      payload: message.packet.payload,
      qos: message.qos,
      retain: false,
      dup: false,
      ...(message.qos === 1 ? { messageId: this.#outlet.takePacketId() } : {}),
      ...(properties === undefined ? {} : { properties }),
    };
  }
}
