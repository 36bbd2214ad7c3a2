import { EventEmitter, once } from 'node:events';
import type { Message, RequestMeta, ValuedResponse } from '../wire.js';
import { writeWishes, type TapWishes } from './wishes.js';

/** Under the registered topic filter, and no direct topic: the plugin's question what it shall tell of. */
export const TAP_TOPIC = '$dm/tap';

/** A plugin asks every three seconds: one that has not asked for this long is no more, in milliseconds. */
const SILENT_MS = 30_000;
/** How long the answer which hooks to call waits for the question of a node's plugin, in milliseconds. */
const FIRST_QUESTION_MS = 1_000;

/**
 * The event tap of the broker's plugin: it asks for its configuration in an OnMessagePublish call of its own, and so is
 * known to be there. No client can make that call: the plugin takes every PUBLISH under `$dm/` before ExHook.
 */
export class Tap {
  #text: string;
  readonly #clock: () => number;
  /** When each node of the broker last asked or told. */
  readonly #seen = new Map<string, number>();
  /** Emits `node NAME` where that asks. */
  readonly #awaited = new EventEmitter<Record<string, []>>();

  /** @param clock milliseconds that only go forward */
  constructor(wishes: TapWishes, clock: () => number) {
    this.#text = writeWishes(wishes);
    this.#clock = clock;
  }

  /** Other wishes from now on: each node asks within seconds. */
  replace(wishes: TapWishes): void {
    this.#text = writeWishes(wishes);
  }

  /** The answer: the question with the configuration as its payload. */
  answer(question: Message, meta: RequestMeta | null): ValuedResponse {
    this.seen(meta);
    return { type: 'STOP_AND_RETURN', message: { ...question, payload: Buffer.from(this.#text) } };
  }

  /** This node has told something. */
  seen(meta: RequestMeta | null): void {
    if (meta === null) return;
    this.#seen.set(meta.node, this.#clock());
    this.#awaited.emit(`node ${meta.node}`);
  }

  /** Whether this node tells of what it does, so that no hook call has to. */
  tells(node: string): boolean {
    const seen = this.#seen.get(node);
    return seen !== undefined && this.#clock() - seen < SILENT_MS;
  }

  /**
   * Whether this node has the tap. Of one that has not asked is waited for the question, in vain for a second: its plugin
   * can ask as soon as the connection is there, over which it loads its provider.
   */
  async isOn({ node, sysdescr }: RequestMeta): Promise<boolean> {
    if (this.tells(node)) return true;
    // Nothing else has the plugin, and the embedded broker is not to start later for it.
    if (!sysdescr.startsWith('EMQX')) return false;
    try {
      await once(this.#awaited, `node ${node}`, { signal: AbortSignal.timeout(FIRST_QUESTION_MS) });
      return true;
    } catch {
      return false;
    }
  }
}
