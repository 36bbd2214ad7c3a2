/** A direct message, validated: one payload for one client, to be received on one topic. */
export interface DirectMessage {
  /** MQTT client ID of the receiver, decoded. */
  readonly targetClientId: string;
  /** Topic name on which the receiver gets it. */
  readonly topic: string;
  readonly payload: Uint8Array;
  /** True: QoS 1, answered by the receiver's own PUBACK. False: QoS 0, answered when handed over. */
  readonly confirmation: boolean;
  /**
   * How long to wait for the PUBACK, in milliseconds, 1..15000; of a request, for PUBACK and answer, 1..60000. Also bounds the
   * message's life in the broker.
   */
  readonly timeoutMs: number;
  /** How long to wait for the receiver to connect, in milliseconds, 0..300000; 0 where absent. */
  readonly waitMs?: number | undefined;
  readonly properties: DirectProperties;
  /** The device's answer is waited for; response topic and correlation data are there. */
  readonly isRequest?: boolean | undefined;
  /** Under which a repeat is known again; without it, none is. */
  readonly identity?: MessageIdentity | undefined;
  /** Of the attempt, for the broker, whose own spans belong to it; absent where the sender has given one to the device. */
  readonly trace?: MessageTrace | undefined;
}

export interface MessageTrace {
  /** W3C Trace Context. */
  readonly traceparent: string;
  /** Whether a device that speaks MQTT 5 gets it, as the user property `traceparent`. */
  readonly reachesDevice: boolean;
}

/** What a delivery is known by: within the same principal and receiver, the same ID is the same delivery. */
export interface MessageIdentity {
  /** Chosen by the sender, 1 to 128 bytes. */
  readonly id: string;
  /** Who sends, as a stable name. */
  readonly principal: string;
  /** Trace of this attempt: 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** Span of this attempt, where it is recorded: 16 such digits. */
  readonly spanId?: string | undefined;
}

/** MQTT 5 properties that reach an MQTT 5 receiver unchanged (MQTT 5, section 3.3.2.3) and no MQTT 3.1.1 one. */
export interface DirectProperties {
  /** Payload Format Indicator: true for UTF-8 text (section 3.3.2.3.2). */
  readonly payloadFormatIndicator?: boolean | undefined;
  readonly contentType?: string | undefined;
  readonly responseTopic?: string | undefined;
  readonly correlationData?: Uint8Array | undefined;
  /** In order, names may repeat (section 3.3.2.3.7). */
  readonly userProperties?: readonly (readonly [name: string, value: string])[] | undefined;
}
