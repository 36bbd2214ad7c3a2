import type { Outlet } from '../direct/receiver.js';
import type { Session } from './session.js';
import type { Connect } from './wire/connect.js';

/** The way of direct messages to a device, beside those of the broker. */
export class DoorOutlet implements Outlet {
  readonly version: Outlet['version'];
  readonly maximumPacketSize: number | undefined;
  readonly receiveMaximum: number;

  constructor(
    private readonly session: Session,
    { version, maximumPacketSize, receiveMaximum }: Connect,
  ) {
    this.version = version;
    this.receiveMaximum = receiveMaximum ?? Infinity;
    this.maximumPacketSize = maximumPacketSize;
  }

  get closed(): boolean {
    return this.session.connection.closed;
  }

  get unsentBytes(): number {
    return this.session.connection.client.stream.writableLength;
  }

  /** What the broker sent and the device had no room for comes first. */
  get hasRoom(): boolean {
    return !this.session.downstream.isWaiting && this.session.hasRoom;
  }

  takePacketId(): number {
    return this.session.ids.takeDirect();
  }

  releasePacketId(packetId: number): void {
    this.session.ids.releaseDirect(packetId);
    this.session.downstream.pump();
  }

  write(bytes: Buffer): void {
    this.session.connection.write(bytes);
  }
}
