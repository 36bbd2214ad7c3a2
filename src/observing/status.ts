import type { AnyEvent, BrokerConnectionEvent, Events, EventType, PolicyReloadEvent } from './events.js';

/** For how long outcomes are counted, and in what steps. */
const WINDOW_MS = 300_000;
const STEP_MS = 10_000;

/** A connection of the service to the broker, by its latest event. Moments are RFC 3339. */
export interface ConnectionStatus extends Pick<BrokerConnectionEvent, 'state' | 'broker' | 'clientId'> {
  readonly since: string;
  /** Why it is not ready, or was not last. */
  readonly lastError?: { readonly at: string; readonly state: string; readonly details?: string | undefined };
}

export interface PolicyStatus {
  readonly version?: string | undefined;
  readonly policies?: number | undefined;
  readonly principals?: number | undefined;
  /** When the set in force took effect. */
  readonly since?: string;
  readonly lastReload: { readonly at: string } & Pick<PolicyReloadEvent, 'outcome' | 'details'>;
}

/** How the service is, as far as its events tell. */
export interface StatusReport {
  readonly startedAt: string;
  readonly connections: readonly ConnectionStatus[];
  /** Absent until policies were read. */
  readonly policies?: PolicyStatus;
  /** How often each reason was told in the last minutes, by event type; the most frequent first. */
  readonly outcomes: {
    readonly seconds: number;
    readonly counts: readonly { readonly eventType: EventType; readonly reason: string; readonly count: number }[];
  };
}

interface Step {
  readonly begins: number;
  readonly counts: Map<string, number>;
}

/** Keeps the latest of what events tell of the service itself, and how often each reason was told in the last minutes. */
export class ServiceStatus implements Events {
  readonly #clock: () => number;
  readonly #startedAt: number;
  readonly #connections = new Map<string, ConnectionStatus>();
  #policies: PolicyStatus | undefined;
  #steps: Step[] = [];

  /** @param clock milliseconds since 1970 */
  constructor(clock: () => number) {
    this.#clock = clock;
    this.#startedAt = clock();
  }

  tell(type: EventType, event: AnyEvent): void {
    if (type === 'BrokerConnection') this.#connection(event as BrokerConnectionEvent);
    else if (type === 'PolicyReload') this.#policyReload(event as PolicyReloadEvent);
    else if ('reason' in event && event.reason !== undefined) this.#count(`${type} ${event.reason}`);
  }

  report(): StatusReport {
    const now = this.#clock();
    const counts = new Map<string, number>();
    for (const step of this.#steps.filter(({ begins }) => begins > now - WINDOW_MS)) {
      for (const [key, count] of step.counts) counts.set(key, (counts.get(key) ?? 0) + count);
    }
    const sorted = [...counts].sort(([, one], [, other]) => other - one);
    return {
      startedAt: textOf(this.#startedAt),
      connections: [...this.#connections.values()],
      ...(this.#policies && { policies: this.#policies }),
      outcomes: {
        seconds: Math.round(Math.min(WINDOW_MS, now - this.#startedAt) / 1000),
        counts: sorted.map(([key, count]) => {
          const [eventType, reason = ''] = key.split(' ');
          return { eventType: eventType as EventType, reason, count };
        }),
      },
    };
  }

  #connection({ state, broker, clientId, details }: BrokerConnectionEvent): void {
    const at = textOf(this.#clock());
    const before = this.#connections.get(clientId);
    const lastError = state === 'ready' ? before?.lastError : { at, state, details };
    const since = before?.state === state ? before.since : at;
    this.#connections.set(clientId, { clientId, broker, state, since, ...(lastError && { lastError }) });
  }

  #policyReload({ outcome, version, policies, principals, details }: PolicyReloadEvent): void {
    const at = textOf(this.#clock());
    const lastReload = { at, outcome, ...(details !== undefined && { details }) };
    this.#policies =
      outcome === 'loaded'
        ? { version, policies, principals, since: at, lastReload }
        : { ...this.#policies, lastReload };
  }

  #count(key: string): void {
    const now = this.#clock();
    let step = this.#steps.at(-1);
    if (step === undefined || step.begins <= now - STEP_MS) {
      step = { begins: now, counts: new Map() };
      this.#steps = [...this.#steps.filter(({ begins }) => begins > now - WINDOW_MS), step];
    }
    step.counts.set(key, (step.counts.get(key) ?? 0) + 1);
  }
}

function textOf(moment: number): string {
  return new Date(moment).toISOString();
}
