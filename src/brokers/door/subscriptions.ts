import type { Subscription as GrantedSubscription } from '../../operations/broker.js';
import { Code } from './codes.js';
import type { DoorConnection } from './connection.js';
import type { Subscribe, Subscription } from './wire/subscribe.js';

/** SUBACK return code Failure of MQTT 3.1.1 (section 3.9.3). */
const FAILURE = 0x80;

/** What of a SUBSCRIBE goes to the broker; `codes` has the door's refusals, in their places. */
interface Partly {
  readonly kept: readonly Subscription[];
  readonly codes: number[];
}

/** The subscriptions of one client, as far as the door saw them granted. */
export class Subscriptions {
  readonly #granted = new Map<string, 0 | 1 | 2>();
  /** SUBSCRIBE without an answer: its filters, and where the door refused some, all codes with gaps. */
  #asked: Map<number, { readonly filters: readonly string[]; readonly codes: (number | undefined)[] }> | undefined;
  /** UNSUBSCRIBE without an answer; from the first on, as few clients send any. */
  #givenUp: Map<number, readonly string[]> | undefined;

  list(): GrantedSubscription[] {
    return [...this.#granted].map(([topicFilter, qos]) => ({ topicFilter, qos }));
  }

  /** A SUBSCRIBE of the client: may all of it go to the broker? */
  asked(connection: DoorConnection, { packetId, subscriptions }: Subscribe): 'all' | Partly {
    const codes = subscriptions.map(({ filter, qos }) => refusalOf(connection, filter, qos));
    const kept = subscriptions.filter((_, index) => codes[index] === undefined);
    if (kept.length > 0) {
      this.#asked ??= new Map();
      this.#asked.set(packetId, { filters: kept.map(({ filter }) => filter), codes });
    }
    if (kept.length === subscriptions.length) return 'all';
    return { kept, codes: codes.map((code) => code ?? 0) };
  }

  /** The broker's codes for it. Answers those for the client, where they are others. */
  answered(connection: DoorConnection, packetId: number, granted: Uint8Array): Uint8Array | undefined {
    const asked = this.#asked?.get(packetId);
    if (asked === undefined) return undefined;
    this.#asked?.delete(packetId);
    const made: string[] = [];
    for (const [index, filter] of asked.filters.entries()) {
      const qos = granted[index];
      if (qos !== 0 && qos !== 1 && qos !== 2) continue;
      this.#granted.set(filter, qos);
      made.push(filter);
    }
    connection.context.rules.subscribed(connection, made);
    if (!asked.codes.some((code) => code !== undefined)) return undefined;
    const rest = granted.values();
    return Uint8Array.from(asked.codes, (code) => code ?? rest.next().value ?? FAILURE);
  }

  givenUp({ packetId, filters }: { readonly packetId: number; readonly filters: readonly string[] }): void {
    this.#givenUp ??= new Map();
    this.#givenUp.set(packetId, filters);
  }

  /** The broker's UNSUBACK. */
  unsubscribed(packetId: number): void {
    for (const filter of this.#givenUp?.get(packetId) ?? []) this.#granted.delete(filter);
    this.#givenUp?.delete(packetId);
  }
}

function refusalOf(connection: DoorConnection, filter: string, qos: number): number | undefined {
  if (connection.context.rules.subscribe(connection, filter, qos)) return undefined;
  return connection.isMqtt5 ? Code.NOT_AUTHORIZED : FAILURE;
}
