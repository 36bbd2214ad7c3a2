import type { Outlet } from '../direct/receiver.js';
import { LAST_AEDES_PACKET_ID } from './aedes-client.js';
import type { ClientConnection } from './client-connection.js';

/** The way to a device beside Aedes, which does not keep the window of what it sends itself. */
export class AedesOutlet implements Outlet {
  readonly #connection: ClientConnection;
  readonly #used = new Set<number>();
  #lastPacketId = LAST_AEDES_PACKET_ID;
  readonly hasRoom = true;

  constructor(connection: ClientConnection) {
    this.#connection = connection;
  }

  get version(): Outlet['version'] {
    return this.#connection.client.version as Outlet['version'];
  }

  get maximumPacketSize(): number | undefined {
    return this.#connection.client.maximumPacketSize;
  }

  get receiveMaximum(): number {
    return this.#connection.client.receiveMaximum;
  }

  get closed(): boolean {
    return this.#connection.closed;
  }

  get unsentBytes(): number {
    return this.#connection.socket.writableLength;
  }

  takePacketId(): number {
    // The window is far smaller than the range, so there is a free one.
    do {
      this.#lastPacketId = this.#lastPacketId >= 0xffff ? LAST_AEDES_PACKET_ID + 1 : this.#lastPacketId + 1;
    } while (this.#used.has(this.#lastPacketId));
    this.#used.add(this.#lastPacketId);
    return this.#lastPacketId;
  }

  releasePacketId(packetId: number): void {
    this.#used.delete(packetId);
  }

  write(bytes: Buffer): void {
    this.#connection.write(bytes);
  }
}
