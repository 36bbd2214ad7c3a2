import type { IClientOptions } from 'mqtt';

type PacketIdProvider = NonNullable<IClientOptions['messageIdProvider']>;

/** Packet Identifiers are 16 bits and not zero (MQTT 5, section 2.2.1). */
export const MAX_PACKET_ID = 0xffff;

/**
 * Packet Identifiers of one network connection: none is given again before its PUBLISH is acknowledged (section 2.2.1).
 *
 * MQTT.js's default counts round and round and gives identifiers that are in use; its UniqueMessageIdProvider gives the
 * lowest free one, so that a second PUBACK for a message that was answered would be taken for that of the next. This one
 * goes round as well, and skips what is in use.
 */
export class PacketIds implements PacketIdProvider {
  readonly #used = new Set<number>();
  #last: number;

  constructor(last = Math.floor(Math.random() * MAX_PACKET_ID)) {
    this.#last = last;
  }

  /** Null where all are in use. */
  allocate(): number | null {
    if (this.#used.size >= MAX_PACKET_ID) return null;
    do {
      this.#last = this.#last >= MAX_PACKET_ID ? 1 : this.#last + 1;
    } while (this.#used.has(this.#last));
    this.#used.add(this.#last);
    return this.#last;
  }

  getLastAllocated(): number {
    return this.#last;
  }

  /** False where it is in use. */
  register(id: number): boolean {
    if (this.#used.has(id)) return false;
    this.#used.add(id);
    return true;
  }

  deallocate(id: number): void {
    this.#used.delete(id);
  }

  clear(): void {
    this.#used.clear();
  }
}
