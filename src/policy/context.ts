import type { Identity } from '../identity/identity.js';

/** A thing of the registry, as `iot:Connection.Thing.*` sees it. */
export interface Thing {
  readonly name: string;
  readonly type?: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What the transport knows about one CONNECT beyond the identity. */
export interface ConnectFacts {
  /** `iot:ConnectAttributes`: `PersistentConnect` and `LastWill`, each present where the CONNECT asks for it. */
  readonly connectAttributes?: readonly string[];
  /** `iot:DomainName`: the host name of the TLS server name indication. */
  readonly domainName?: string;
}

/** What a request is about beyond identity and resource. */
export interface ExtraFacts extends ConnectFacts {
  /** `iot:Topic`: the topic of a direct message. */
  readonly topic?: string;
  /** Values that replace what a key would have, by lower-case key. For `policy explain` and `policy test` only. */
  readonly overrides?: ReadonlyMap<string, readonly string[]>;
}

export interface RequestFacts extends ExtraFacts {
  readonly identity: Identity;
  /** Name of the principal that stands for the identity. */
  readonly principal?: string | undefined;
  readonly thing?: Thing | undefined;
}

/** The facts that one decision is made from. Time is read once, and only if a statement asks for it. */
export class RequestContext {
  private readonly clock: () => number;
  private time: number | undefined;

  constructor(
    readonly facts: RequestFacts,
    clock: () => number,
  ) {
    this.clock = clock;
  }

  /** Milliseconds since the epoch, the same for the whole decision. */
  get now(): number {
    return (this.time ??= this.clock());
  }
}
