import type { Identity } from '../../identity/identity.js';
import { thingOf, type Thing, type ThingTemplate } from '../principals/thing.js';

/** What the transport knows about one CONNECT beyond the identity. */
export interface ConnectFacts {
  /** `iot:ConnectAttributes`: `PersistentConnect` and `LastWill`, each present where the CONNECT asks for it. */
  readonly connectAttributes?: readonly string[];
  /** `iot:LastWillTopic`: the topic of the will; absent where the CONNECT has none. */
  readonly lastWillTopic?: string;
  /** `iot:DomainName`: the host name of the TLS server name indication. */
  readonly domainName?: string;
  /** There is a will, and its topic is not told. */
  readonly lastWillTopicUntold?: true;
  /** Whether there is a host name is not told. */
  readonly domainNameUntold?: true;
}

/** What a request is about beyond identity and resource. */
export interface ExtraFacts extends ConnectFacts {
  /** `iot:Topic`: the topic of a direct message. */
  readonly topic?: string;
  /** The request is a CONNECT of which the transport tells no facts: what is not given may be there all the same. */
  readonly connectUntold?: true;
  /** Values that replace what a key would have, by lower-case key. For `policy explain` and `policy test` only. */
  readonly overrides?: ReadonlyMap<string, string | readonly string[]>;
}

const NO_FACTS: ExtraFacts = Object.freeze({});
/** The facts of a CONNECT where the transport tells none. */
export const CONNECT_UNTOLD: ExtraFacts = Object.freeze({ connectUntold: true });

/** The facts that one decision is made from. Time is read once, and only if a statement asks for it. */
export class RequestContext {
  private time: number | undefined = undefined;

  /**
   * @param principal who stands for the identity
   * @param clock milliseconds since the epoch
   */
  constructor(
    readonly identity: Identity,
    private readonly clock: () => number,
    readonly principal?: { readonly name: string; readonly thing?: ThingTemplate },
    readonly extra: ExtraFacts = NO_FACTS,
  ) {}

  /** Milliseconds since the epoch, the same for the whole decision. */
  get now(): number {
    return (this.time ??= this.clock());
  }

  /** The thing of the principal; made where a statement asks for it, for most do not. */
  get thing(): Thing | undefined {
    const template = this.principal?.thing;
    return template && thingOf(template, this.identity);
  }
}
