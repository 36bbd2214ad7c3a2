/** What the service under test tells the process that measures it. */
export interface Ports {
  readonly http: number;
  readonly mqtt: number;
  /** The same HTTP server, answering a constant. */
  readonly floor: number;
}

/** What the service holds at the moment. */
export interface Held {
  readonly connections: number;
  /** Direct messages that the broker has no outcome for. */
  readonly pendingMessages: number;
  /** Messages that the service's own connections have no answer to. */
  readonly inFlight: number;
  /** After a collection of garbage. */
  readonly heapBytes: number;
}

/** What it is asked: what it holds, or how many microseconds of CPU it has used so far. */
export type Question = 'held' | 'cpu';
