/** Packet identifiers are 1 to this one (MQTT 5, section 2.2.1). */
const LAST = 0xffff;
const HALF = 0x8000;
/** Direct messages take their identifiers from so many, opposite to those of the broker on the ring. */
const SPAN = 0x2000;
/** Marks an exchange of QoS 2 beside the broker's identifier. */
const QOS2 = 0x10000;

/**
 * Packet identifiers towards one client, which the broker and the door share: the client sees one server, and must not
 * meet an identifier in two exchanges at a time. The broker's stay as they are, unless a direct message has the same
 * in use: then the broker's message gets another one, for as long as its exchange lasts.
 */
export class PacketIds {
  /** By the identifier towards the client: the broker's, with QOS2 where the exchange is one of QoS 2. */
  readonly #exchanges = new Map<number, number>();
  /** By the broker's identifier, where the client knows another one; from the first on. */
  #renamed: Map<number, number> | undefined;
  readonly #direct = new Set<number>();
  #lastOfBroker = 0;
  #turn = 0;

  /** Exchanges of the broker that the client has not ended. */
  get exchanges(): number {
    return this.#exchanges.size;
  }

  /** An identifier for a direct message, until `releaseDirect`. */
  takeDirect(): number {
    const id = this.#free();
    this.#direct.add(id);
    return id;
  }

  releaseDirect(id: number): void {
    this.#direct.delete(id);
  }

  isDirect(id: number): boolean {
    return this.#direct.has(id);
  }

  /** The broker's PUBLISH or, where the door has not seen that one, its PUBREL: the identifier for the client. */
  toClient(brokerId: number, qos: number): number {
    const known = this.#renamed?.get(brokerId) ?? brokerId;
    this.#lastOfBroker = brokerId;
    if (((this.#exchanges.get(known) ?? 0) & LAST) === brokerId) return known;
    const id = this.#direct.has(brokerId) || this.#exchanges.has(brokerId) ? this.#free() : brokerId;
    this.#exchanges.set(id, qos === 2 ? brokerId | QOS2 : brokerId);
    if (id !== brokerId) this.#rename(brokerId, id);
    return id;
  }

  /** The broker's identifier of an exchange of that QoS; undefined where the client speaks of none. */
  toBroker(id: number, qos: number): number | undefined {
    const exchange = this.#exchanges.get(id);
    if (exchange === undefined || exchange > LAST !== (qos === 2)) return undefined;
    return exchange & LAST;
  }

  /** The exchange is over. */
  release(id: number): void {
    const brokerId = (this.#exchanges.get(id) ?? 0) & LAST;
    this.#exchanges.delete(id);
    if (brokerId !== id) this.#renamed?.delete(brokerId);
  }

  /**
   * What a session that is resumed must not forget: exchanges of QoS 2 that the client knows under another identifier.
   * Those of QoS 1 begin anew (section 4.4).
   */
  renamedOfSession(): [brokerId: number, id: number][] {
    return [...(this.#renamed ?? [])].filter(([, id]) => (this.#exchanges.get(id) ?? 0) > LAST);
  }

  resume(renamed: readonly (readonly [brokerId: number, id: number])[]): void {
    for (const [brokerId, id] of renamed) {
      this.#rename(brokerId, id);
      this.#exchanges.set(id, brokerId | QOS2);
    }
  }

  #rename(brokerId: number, id: number): void {
    this.#renamed ??= new Map();
    this.#renamed.set(brokerId, id);
  }

  #free(): number {
    for (;;) {
      this.#turn = (this.#turn + 1) % SPAN;
      const id = ((this.#lastOfBroker + HALF + this.#turn) % LAST) + 1;
      if (!this.#direct.has(id) && !this.#exchanges.has(id)) return id;
    }
  }
}
