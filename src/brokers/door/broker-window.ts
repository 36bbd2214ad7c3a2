import type { Frame } from './wire/frame.js';

/** Above so many bytes that wait, the client is read no further, unless that would stop an exchange of QoS 2. */
const HIGH_WATER_BYTES = 1_048_576;
/** So many bytes wait at the most. */
export const MOST_HELD_BYTES = 16_777_216;

/**
 * The broker's Receive Maximum (MQTT 5, section 3.2.2.3.3). The client is told a greater one, because direct messages wait
 * for their PUBACK and never reach the broker; so what is ordinary waits here while the broker's is reached, in order.
 */
export class BrokerWindow {
  readonly #limit: number;
  /** Packet identifiers of the client's exchanges with the broker; true from PUBREC to PUBCOMP. */
  readonly #exchanges = new Map<number, boolean>();
  #held: { readonly frame: Frame; readonly packetId: number | undefined }[] = [];
  #heldBytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Exchanges that the broker has not ended, with those that have not begun. */
  get size(): number {
    return this.#exchanges.size + this.#held.length;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Whether the client should be read no further. A PUBREL behind what waits can be what the broker waits for. */
  get isFull(): boolean {
    return this.#heldBytes > HIGH_WATER_BYTES && ![...this.#exchanges.values()].includes(true);
  }

  /** True where the packet may go to the broker; it waits here where not. No `packetId`: a QoS 0 PUBLISH, or DISCONNECT. */
  admit(frame: Frame, packetId: number | undefined): boolean {
    const again = packetId !== undefined && this.#exchanges.has(packetId);
    if (again || (this.#held.length === 0 && this.#begin(packetId))) return true;
    this.#held.push({ frame, packetId });
    this.#heldBytes += frame.bytes.length;
    return false;
  }

  /** The broker has received a message of QoS 2: what comes next is the client's PUBREL. */
  received(packetId: number): void {
    if (this.#exchanges.has(packetId)) this.#exchanges.set(packetId, true);
  }

  /** The broker has ended an exchange. Answers what may go to it now. */
  release(packetId: number): Frame[] {
    this.#exchanges.delete(packetId);
    const free: Frame[] = [];
    for (const { frame, packetId: next } of this.#held) {
      if (!this.#begin(next)) break;
      free.push(frame);
      this.#heldBytes -= frame.bytes.length;
    }
    this.#held.splice(0, free.length);
    return free;
  }

  #begin(packetId: number | undefined): boolean {
    if (packetId === undefined) return true;
    if (this.#exchanges.size >= this.#limit) return false;
    this.#exchanges.set(packetId, false);
    return true;
  }
}
