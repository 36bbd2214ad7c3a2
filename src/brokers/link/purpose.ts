import type { IPublishPacket } from 'mqtt';
import type { ToldOutcome } from '../direct/outcome-message.js';
import type { Answer, Outgoing } from './answer.js';

/**
 * `ready`: connected, and found fit for its work. `pluginMissing`: the broker answers, but delivers no direct messages.
 * `refused`: the broker does not let the service's user connect or publish to `$dm/#`. `down`: no connection; it is being
 * tried again.
 */
export type ConnectionState = 'down' | 'ready' | 'pluginMissing' | 'refused';

/** What was found of a connection that was just made. `lost`: it is gone, and there is nothing to be said of it. */
export type Fitness =
  { readonly state: Exclude<ConnectionState, 'down'>; readonly details: string } | { readonly state: 'lost' };

/** As much of a connection as its examination needs. */
export interface ExaminedConnection {
  readonly clientId: string;
  publish(outgoing: Outgoing): Promise<Answer>;
}

/** What a connection is for. */
export interface Purpose {
  /** Start of its MQTT client ID. */
  readonly clientIdPrefix: string;
  /** Is it fit for that? Asked after each CONNACK, and again from time to time while it is not. Never rejects. */
  examine(connection: ExaminedConnection): Promise<Fitness>;
  /** What the broker sends to it. @returns what that tells of an answer which is still to come. */
  received?(packet: IPublishPacket): ToldOutcome | undefined;
}
