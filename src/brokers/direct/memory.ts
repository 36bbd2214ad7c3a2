import { createHash } from 'node:crypto';
import { deviceProperties } from './device-properties.js';
import { pairsOf } from './user-properties.js';
import type { PendingMessage, Remembered } from './message.js';

/** Whose delivery it is: the sender's principal, the receiver, and the identity that the sender gave it. */
export interface DeliveryIdentity {
  readonly principal: string;
  readonly targetClientId: string;
  readonly id: string;
}

export interface MemoryLimits {
  /** How long after its outcome, in milliseconds. */
  readonly keepMs: number;
  /** Identities in all, and of one principal. */
  readonly identities: number;
  readonly perPrincipal: number;
  /** Bytes in all that they may take, estimated. */
  readonly bytes: number;
  /** Bytes of answers to requests of one principal. */
  readonly answerBytesPerPrincipal: number;
}

const LIMITS: MemoryLimits = {
  keepMs: 300_000,
  identities: 100_000,
  perPrincipal: 20_000,
  bytes: 64 * 1024 * 1024,
  answerBytesPerPrincipal: 16 * 1024 * 1024,
};
/** What an entry takes beside its texts, about. */
const ENTRY_BYTES = 400;

/**
 * Identities of deliveries and what became of them, where the receivers' connections live. Bounded by number, by bytes and
 * for each principal: who is over a bound loses their own oldest, and a new identity for which there is no room is not
 * remembered. What has no outcome yet is never dropped.
 */
export class Memory {
  readonly #limits: MemoryLimits;
  readonly #clock: () => number;
  readonly #known = new Map<string, Remembered>();
  /** Of each principal, those that have an outcome, the oldest first. */
  readonly #settled = new Map<string, Set<Remembered>>();
  readonly #counts = new Map<string, number>();
  /** Of each principal, bytes of the answers that are kept. */
  readonly #answerBytes = new Map<string, number>();
  readonly #forgotten: (remembered: Remembered) => void;
  #bytes = 0;

  /** @param forgotten is told of each that is dropped */
  constructor(clock: () => number, forgotten: (remembered: Remembered) => void, limits: Partial<MemoryLimits> = {}) {
    this.#clock = clock;
    this.#forgotten = forgotten;
    this.#limits = { ...LIMITS, ...limits };
  }

  get size(): number {
    return this.#known.size;
  }

  find(identity: DeliveryIdentity): Remembered | undefined {
    const known = this.#known.get(keyOf(identity));
    if (known === undefined || known.expiresAt > this.#clock()) return known;
    this.forget(known);
    return undefined;
  }

  /** Undefined where there is no room, and nothing of this principal's own to make any. */
  add(identity: DeliveryIdentity, fingerprint: string, traceId: string | undefined): Remembered | undefined {
    const { principal } = identity;
    const key = keyOf(identity);
    const remembered: Remembered = {
      key,
      principal,
      fingerprint,
      traceId,
      state: 'trying',
      attempt: undefined,
      joined: new Set(),
      outcome: undefined,
      awaited: undefined,
      answerBytes: 0,
      earlierWritten: false,
      expiresAt: Infinity,
    };
    this.#expire(principal);
    while (this.#isFull(principal, bytesOf(remembered))) {
      const [oldest] = this.#settled.get(principal) ?? [];
      if (oldest === undefined) return undefined;
      this.forget(oldest);
    }
    this.#known.set(key, remembered);
    this.#counts.set(principal, (this.#counts.get(principal) ?? 0) + 1);
    this.#bytes += bytesOf(remembered);
    return remembered;
  }

  /** It has an outcome, or an attempt of it is over: from now on its time counts. */
  settled(remembered: Remembered): void {
    const { key, principal } = remembered;
    if (this.#known.get(key) !== remembered) return;
    remembered.expiresAt = this.#clock() + this.#limits.keepMs;
    const settled = this.#settled.get(principal) ?? new Set();
    settled.delete(remembered);
    settled.add(remembered);
    this.#settled.set(principal, settled);
  }

  /**
   * Makes room for an answer that is to be kept with it, at the cost of what else its principal has.
   *
   * @returns false where there is none.
   */
  keepAnswer(remembered: Remembered, bytes: number): boolean {
    const { key, principal } = remembered;
    if (this.#known.get(key) !== remembered) return false;
    this.#unsettle(remembered);
    const ownBytes = (): number => this.#answerBytes.get(principal) ?? 0;
    while (this.#bytes + bytes > this.#limits.bytes || ownBytes() + bytes > this.#limits.answerBytesPerPrincipal) {
      const [oldest] = this.#settled.get(principal) ?? [];
      if (oldest === undefined) return false;
      this.forget(oldest);
    }
    remembered.answerBytes = bytes;
    this.#bytes += bytes;
    this.#answerBytes.set(principal, ownBytes() + bytes);
    return true;
  }

  /** There is a new attempt: it is not to be dropped. */
  revived(remembered: Remembered): void {
    remembered.expiresAt = Infinity;
    this.#unsettle(remembered);
  }

  forget(remembered: Remembered): void {
    const { key, principal } = remembered;
    if (this.#known.get(key) !== remembered) return;
    this.#known.delete(key);
    this.#bytes -= bytesOf(remembered) + remembered.answerBytes;
    this.#unsettle(remembered);
    const answers = (this.#answerBytes.get(principal) ?? 0) - remembered.answerBytes;
    if (answers > 0) this.#answerBytes.set(principal, answers);
    else this.#answerBytes.delete(principal);
    const count = (this.#counts.get(principal) ?? 1) - 1;
    if (count === 0) this.#counts.delete(principal);
    else this.#counts.set(principal, count);
    this.#forgotten(remembered);
  }

  #isFull(principal: string, bytes: number): boolean {
    const { identities, perPrincipal, bytes: most } = this.#limits;
    return (
      this.#known.size >= identities || (this.#counts.get(principal) ?? 0) >= perPrincipal || this.#bytes + bytes > most
    );
  }

  #expire(principal: string): void {
    const now = this.#clock();
    for (const known of this.#settled.get(principal) ?? []) {
      if (known.expiresAt > now) return;
      this.forget(known);
    }
  }

  #unsettle(remembered: Remembered): void {
    const settled = this.#settled.get(remembered.principal);
    settled?.delete(remembered);
    if (settled?.size === 0) this.#settled.delete(remembered.principal);
  }
}

/**
 * What an identity stands for: the same identity for another message is a fault of the sender. All that the device gets, but
 * for the trace, which is another one for each attempt.
 */
export function fingerprintOf({ packet, qos, request }: Pick<PendingMessage, 'packet' | 'qos' | 'request'>): string {
  const hash = createHash('sha256');
  const properties = deviceProperties(packet.properties, false);
  const correlation = properties?.correlationData?.toString('base64');
  const user = pairsOf(properties?.userProperties).filter(([name]) => name !== 'traceparent' && name !== 'tracestate');
  const same = { ...properties, correlationData: correlation, userProperties: user };
  hash.update(JSON.stringify([packet.topic, qos, same, request !== undefined]));
  return hash.update(packet.payload).digest('base64');
}

/** JSON keeps the parts apart, whatever they hold. */
function keyOf({ principal, targetClientId, id }: DeliveryIdentity): string {
  return JSON.stringify([principal, targetClientId, id]);
}

function bytesOf({ key, principal }: Remembered): number {
  return ENTRY_BYTES + 2 * (key.length + principal.length);
}
