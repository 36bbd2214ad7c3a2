import type { IPublishPacket } from 'mqtt-packet';
import type { Delivery } from '../../direct/delivery.js';
import type { DirectAddress } from '../../direct/topic.js';

// The types of a direct message under way. They name each other, and nothing else of this folder.

/** A direct message without an outcome. */
export interface PendingMessage {
  readonly sender: Party;
  /** The sender's PUBLISH. */
  readonly packet: IPublishPacket;
  readonly address: DirectAddress;
  /** QoS at which the device receives it. */
  readonly qos: 0 | 1;
  /** How long the device has for its PUBACK, in milliseconds. */
  readonly timeoutMs: number;
  /** How long it waits for its receiver to connect, in milliseconds. */
  readonly waitMs: number;
  /** The service asks for no more than to be told when that client is connected. */
  readonly isWatch: boolean;
  /** For whom it is sent, as a stable name. */
  readonly principal: string;
  /** `performance.now()` of its arrival. */
  readonly since: number;
  /** The same of the moment in which its receiver was there. */
  begun: number;
  timer: NodeJS.Timeout;
  /** Whose delivery it is, where the sender gave it an identity. */
  readonly identity:
    { readonly id: string; readonly principal: string; readonly traceId: string | undefined } | undefined;
  /** Of a request: where, and with which Correlation Data, the device's answer is waited for. */
  readonly request: { readonly responseTopic: string; readonly correlation: Buffer } | undefined;
  /** The wait for the answer, once there is one. */
  awaited: Awaited | undefined;
  /** A request that the device has acknowledged: its answer is still to come. */
  acknowledged: boolean;
  /** What is remembered of that identity, once this message is an attempt of it, or waits for one. */
  remembered: Remembered | undefined;
  /** It was written to the connection of the device. */
  written: boolean;
  /** It has its outcome, and the device can still acknowledge it: on a live connection, at QoS 1. */
  unacknowledged: boolean;
  /** The connection that it waits on, once there is one. */
  receiver: ReceivingSide | undefined;
  /** Packet identifier towards the device, once it was sent at QoS 1. */
  packetId: number | undefined;
}

/** The receiving side of a connection: where messages to one device wait, and where they are until it acknowledges them. */
export interface ReceivingSide {
  /** Takes a message that the device may receive, or will be known to: then the answer keeps its place in the queue. */
  accept(message: PendingMessage, mayReceive: boolean | Promise<boolean>): void;
  /** The device has answered a request without its Correlation Data, and not with them since. */
  answersBare: boolean;
  /** Whether the message waits for nothing but a place in the window of the device. */
  isHeldUp(message: PendingMessage): boolean;
  /** A message has its outcome, by whatever way. */
  forget(message: PendingMessage): void;
}

/** A connection of a client, as whoever sends and receives direct messages sees it. */
export interface Party {
  /** Whether its protocol has reason codes, so that a PUBACK can say no. */
  readonly isMqtt5: boolean;
  /** Whether it is one of the service's own user. */
  readonly isService: boolean;
  readonly closed: boolean;
  /** Direct messages that it sent at QoS 1 and that have no answer yet, by packet identifier. */
  readonly sent: Map<number, PendingMessage>;
  /** From CONNACK on: direct messages can be delivered. */
  readonly receiver: ReceivingSide | undefined;
  /** Who sends from here; from authentication on. */
  readonly origin:
    { readonly clientId: string; readonly username: string | undefined; readonly sourceIp: string } | undefined;
  /** Sends a packet to the client. */
  write(bytes: Buffer): void;
  /** Ends the connection; MQTT 5 clients are told the reason code. */
  end(reasonCode: number, endReason: string): void;
}

/** The answer of one client on one topic, which somebody waits for or may come back for. */
export interface Awaited {
  readonly clientId: string;
  readonly topic: string;
  readonly correlation: Buffer;
  /** The request, until it has its outcome. */
  message: PendingMessage | undefined;
  /** Its identity: the answer is kept for a repeat. */
  readonly remembered: Remembered | undefined;
}

/** What is known of one identity. */
export interface Remembered {
  readonly key: string;
  readonly principal: string;
  /** Of topic, payload, properties and QoS: what the identity stands for. */
  readonly fingerprint: string;
  /** Trace of the first attempt. */
  readonly traceId: string | undefined;
  /**
   * `trying`: `attempt` has no outcome yet. `unacknowledged`: it has one, a timeout, and the device may still acknowledge what
   * was written to its live connection. `acknowledged`: of a request, the device has it and may still answer. `answered`: the
   * outcome stands. `over`: another attempt may be made.
   */
  state: 'trying' | 'unacknowledged' | 'acknowledged' | 'answered' | 'over';
  attempt: PendingMessage | undefined;
  /** Repeats that wait for the same outcome. */
  readonly joined: Set<PendingMessage>;
  outcome: Delivery | undefined;
  /** Of a request: the wait for the answer. */
  awaited: Awaited | undefined;
  /** Bytes of the answer that is kept in the outcome. */
  answerBytes: number;
  /** An attempt that is over was written to the device, whatever became of it there. */
  earlierWritten: boolean;
  /** Monotonic, in milliseconds; Infinity until there is an outcome. */
  expiresAt: number;
}
