import { Malformed } from './wire/malformed.js';
import type { Publish } from './wire/publish.js';

/** Topic Alias invalid (MQTT 5, section 3.3.2.3.4). */
const ALIAS_INVALID = 0x94;

interface Alias {
  readonly topic: string;
  /** Whether whoever the packets are passed on to was told of it, too. */
  passedOn: boolean;
}

/** Topic aliases in one direction of one connection. Some of what defines them is not passed on. */
export class TopicAliases {
  /** From the first on: most connections have none. */
  #aliases: Map<number, Alias> | undefined;

  /** @param maximum highest alias that the sender may use. */
  constructor(private readonly maximum: number) {}

  /** The topic of the PUBLISH. @throws Malformed */
  topicOf({ topic, alias }: Publish): string {
    if (alias === undefined) {
      if (topic === '') throw new Malformed('A PUBLISH has neither a topic nor an alias.', 0x82);
      return topic;
    }
    if (alias === 0 || alias > this.maximum) throw new Malformed(`There is no topic alias ${alias}.`, ALIAS_INVALID);
    if (topic !== '') {
      this.#aliases ??= new Map();
      this.#aliases.set(alias, { topic, passedOn: false });
      return topic;
    }
    const known = this.#aliases?.get(alias);
    if (known === undefined) throw new Malformed(`Topic alias ${alias} was never given a topic.`, 0x82);
    return known.topic;
  }

  /** The PUBLISH is about to be passed on: true where its topic has to be put into it. */
  needsTopic({ topic, alias }: Publish): boolean {
    const known = alias === undefined ? undefined : this.#aliases?.get(alias);
    if (known === undefined) return false;
    const needed = topic === '' && !known.passedOn;
    known.passedOn = true;
    return needed;
  }
}
