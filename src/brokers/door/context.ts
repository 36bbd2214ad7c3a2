import type { Duplex } from 'node:stream';
import type { Identity } from '../../identity/identity.js';
import type { Diagnostics } from '../../observing/diagnostics.js';
import type { Dispatcher } from '../direct/dispatch.js';
import type { ReceiverLimits } from '../direct/receiver.js';
import type { DoorConnection } from './connection.js';
import type { PacketIds } from './packet-ids.js';
import type { Turns } from './turns.js';
import type { Connect } from './wire/connect.js';

export interface DoorLimits {
  /** From the opening of a connection to CONNACK, in milliseconds. */
  readonly connectTimeoutMs: number;
  /** Largest CONNECT. */
  readonly connectBytes: number;
  /** Largest packet of a client. */
  readonly packetBytes: number;
  readonly receiver: ReceiverLimits;
}

export type Admission =
  { readonly ok: true; readonly identity: Identity; readonly isService: boolean } | { readonly ok: false };

/** What a connection needs of the door. */
export interface DoorContext {
  readonly limits: DoorLimits;
  readonly diagnostics: Diagnostics;
  readonly dispatcher: Dispatcher;
  readonly turns: Turns;
  readonly rules: Rules;
  /** May the client go on to the broker? Never rejects. */
  admit(connection: DoorConnection, connect: Connect): Promise<Admission>;
  /** A new connection to the broker; undefined where it is not wanted any more. Rejects where the broker is not there. */
  dial(isWanted: () => boolean): Promise<Duplex | undefined>;
  brokerFailed(error: Error): void;
  refusedByBroker(connection: DoorConnection, reasonCode: number): void;
  /** CONNACK is on its way to the client. */
  admitted(connection: DoorConnection, sessionPresent: boolean): void;
  /** Nothing more is said to the client. Once a connection, admitted or not. */
  ended(connection: DoorConnection): void;
  /** Identifiers that a session under way needs, of one that is resumed too. */
  packetIds(clientId: string, sessionPresent: boolean): PacketIds;
}

export interface PublishFacts {
  readonly retain: boolean;
  readonly qos: number;
  readonly payloadBytes: number;
}

/** What policies say of ordinary packets of a client, at once. What is refused is told by whoever answers. */
export interface Rules {
  publish(connection: DoorConnection, topic: string, facts: PublishFacts): boolean;
  subscribe(connection: DoorConnection, filter: string, qos: number): boolean;
  /** Of a message that the broker sends to the client. */
  receive(connection: DoorConnection, topic: string): boolean;
  /** Such a message is about to be passed on. */
  delivered(connection: DoorConnection, topic: string, facts: PublishFacts): void;
  /** The client gives subscriptions up. */
  unsubscribed(connection: DoorConnection, filters: readonly string[]): void;
  /** The broker has granted these subscriptions, of one SUBSCRIBE. */
  subscribed(connection: DoorConnection, filters: readonly string[]): void;
}
