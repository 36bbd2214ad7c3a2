import type { PendingMessage } from './message.js';

export interface WaitingLimits {
  /** Messages in all, to one client, and of one sender. */
  readonly messages: number;
  readonly perClient: number;
  readonly perSender: number;
}

const LIMITS: WaitingLimits = { messages: 10_000, perClient: 100, perSender: 1_000 };

/** Messages whose receivers are not connected, and may be soon. In memory: with the broker they are gone. */
export class WaitingMessages {
  readonly #limits: WaitingLimits;
  /** By client ID, in the order in which they came. */
  readonly #byClient = new Map<string, Set<PendingMessage>>();
  readonly #bySender = new Map<string, number>();
  #size = 0;

  constructor(limits: Partial<WaitingLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
  }

  get size(): number {
    return this.#size;
  }

  has(message: PendingMessage): boolean {
    return this.#byClient.get(message.address.targetClientId)?.has(message) === true;
  }

  /** @returns false where no more may wait. */
  add(message: PendingMessage): boolean {
    const { address, principal } = message;
    const ofClient = this.#byClient.get(address.targetClientId) ?? new Set();
    const ofSender = this.#bySender.get(principal) ?? 0;
    const { messages, perClient, perSender } = this.#limits;
    if (this.#size >= messages || ofClient.size >= perClient || ofSender >= perSender) return false;
    this.#byClient.set(address.targetClientId, ofClient.add(message));
    this.#bySender.set(principal, ofSender + 1);
    this.#size += 1;
    return true;
  }

  /** It waits no longer; nothing happens where it did not. */
  remove(message: PendingMessage): void {
    const { address, principal } = message;
    const ofClient = this.#byClient.get(address.targetClientId);
    if (ofClient?.delete(message) !== true) return;
    if (ofClient.size === 0) this.#byClient.delete(address.targetClientId);
    const ofSender = (this.#bySender.get(principal) ?? 1) - 1;
    if (ofSender === 0) this.#bySender.delete(principal);
    else this.#bySender.set(principal, ofSender);
    this.#size -= 1;
  }

  /** Those that wait for that client, which wait no longer. */
  take(clientId: string): PendingMessage[] {
    const all = [...(this.#byClient.get(clientId) ?? [])];
    for (const message of all) this.remove(message);
    return all;
  }
}
