import type { RecordTap } from '../log/event-log.js';
import type { EventRecord } from '../../observing/events.js';
import { tailMatcher, type TailFilter } from './filter.js';

/** Where the lines of one follower go: what Node's ServerResponse offers of a stream. */
export interface FollowerSink {
  write(line: string): boolean;
  /** Bytes that wait for the follower. */
  readonly writableLength: number;
}

/** Bytes that may wait for one follower; what comes on top is left out and counted. */
export const FOLLOWER_BUFFER_BYTES = 256 * 1024;
export const MOST_FOLLOWERS = 16;

/** Those who follow the events live. With nobody following, no record is made for them. */
export class Followers implements RecordTap {
  readonly #followers = new Set<Follower>();

  get size(): number {
    return this.#followers.size;
  }

  /** Adds a follower. Answers how to remove it, or undefined where there are too many. */
  add(sink: FollowerSink, filter: TailFilter): (() => void) | undefined {
    if (this.#followers.size >= MOST_FOLLOWERS) return undefined;
    const follower: Follower = { sink, matches: tailMatcher(filter), missed: 0 };
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  get idle(): boolean {
    return this.#followers.size === 0;
  }

  take(record: EventRecord, line: string): void {
    for (const follower of this.#followers) {
      if (!follower.matches(record)) continue;
      if (follower.sink.writableLength > FOLLOWER_BUFFER_BYTES) {
        follower.missed += 1;
        continue;
      }
      if (follower.missed > 0) {
        follower.sink.write(`${JSON.stringify({ missed: follower.missed })}\n`);
        follower.missed = 0;
      }
      follower.sink.write(line);
    }
  }
}

interface Follower {
  readonly sink: FollowerSink;
  readonly matches: ReturnType<typeof tailMatcher>;
  missed: number;
}
