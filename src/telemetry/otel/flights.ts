import type { SpanContext } from '@opentelemetry/api';
import type { DirectAddress } from '../../direct/topic.js';

/** A decision made for a message whose trace will only be known when its outcome is reported. */
export interface Authorization {
  /** Writes the span of the decision as a child of the message's own span. */
  readonly write: (parent: SpanContext) => void;
  /** Milliseconds since 1970 at which it began. */
  readonly startedAt: number;
}

/** A direct message under way: sent, and not yet answered. */
export interface Flight extends DirectAddress {
  readonly traceId: string;
  /** Of the span that delivers it; absent for the MQTT door, where the broker delivers and reports afterwards. */
  readonly context?: SpanContext;
  /** MQTT client ID of the sender; absent for the HTTP door. */
  readonly senderClientId?: string;
  /** Decisions that wait for the report. Only used where `context` is absent. */
  readonly authorizations: Authorization[];
}

/** Longest wait for a PUBACK (15 s) and ample time for the report to arrive. */
const LIFETIME_MS = 30_000;
/** Beyond this, the oldest are forgotten: their decisions then have traces of their own. */
const MOST = 10_000;

/**
 * The direct messages under way in this replica, by where they go. The hook call that authorizes a receiver carries no
 * trace context, so this is how it finds the message that it belongs to.
 */
export class Flights {
  readonly #byAddress = new Map<string, Flight[]>();
  /** Those of the MQTT door in the order of their start: nothing else ends one whose report never comes. */
  readonly #reported = new Map<Flight, number>();

  add(flight: Flight): void {
    const key = keyOf(flight);
    const others = this.#byAddress.get(key);
    if (others === undefined) this.#byAddress.set(key, [flight]);
    else others.push(flight);
    if (flight.context === undefined) {
      this.#reported.set(flight, Date.now());
      this.#expire();
    }
  }

  /** A message through HTTP is on its way, until it is removed. */
  depart({ targetClientId, topic }: DirectAddress, context: SpanContext): Flight {
    const flight: Flight = { targetClientId, topic, traceId: context.traceId, context, authorizations: [] };
    this.add(flight);
    return flight;
  }

  remove(flight: Flight): void {
    const key = keyOf(flight);
    const there = this.#byAddress.get(key);
    if (there?.length === 1 && there[0] === flight) this.#byAddress.delete(key);
    else if (there?.includes(flight) === true) there.splice(there.indexOf(flight), 1);
    this.#reported.delete(flight);
  }

  /** All that are under way to this address. */
  to(address: DirectAddress): readonly Flight[] {
    return this.#byAddress.get(keyOf(address)) ?? [];
  }

  /** Takes the oldest message of this sender to this address: brokers report in the order in which they answer. */
  takeReported(address: DirectAddress, senderClientId: string): Flight | undefined {
    const flight = this.to(address).find((other) => other.senderClientId === senderClientId);
    if (flight !== undefined) this.remove(flight);
    return flight;
  }

  get size(): number {
    let size = 0;
    for (const flights of this.#byAddress.values()) size += flights.length;
    return size;
  }

  #expire(): void {
    const oldest = Date.now() - LIFETIME_MS;
    for (const [flight, startedAt] of this.#reported) {
      if (startedAt > oldest && this.#reported.size <= MOST) return;
      this.remove(flight);
    }
  }
}

/** A topic holds no null character (MQTT 5, section 1.5.4), so the two parts cannot run into each other. */
function keyOf({ targetClientId, topic }: DirectAddress): string {
  return `${targetClientId}\0${topic}`;
}
