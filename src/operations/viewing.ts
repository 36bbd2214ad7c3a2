import { invalid } from '../direct/properties.js';
import type { Events } from '../observing/events.js';
import { eventMatcher, readEventQuery, type EventFilter, type EventQuery } from '../observing/filter.js';
import type { RecentEvents } from '../observing/recent.js';
import type { Authorizer, Decision } from '../policy/authorizer.js';
import { done, fail, perform, type Asking } from './performing.js';
import type { Read } from './requests.js';

export interface ViewingOptions {
  readonly authorizer: Authorizer;
  readonly recent: RecentEvents;
  /** How the service is. */
  readonly status: () => object;
  /** How it was in the last hour. */
  readonly statistics: () => object;
  readonly events: Events;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

/** What a caller may see of the service's own doings. None rejects, and each reports exactly one event. */
export class Viewing {
  readonly #options: ViewingOptions;

  constructor(options: ViewingOptions) {
    this.#options = options;
  }

  /**
   * Lines of events, past and to come, until the signal: `tightbeam:ViewEvents` on the client, or the topic, of each one that
   * the filter names without a `*`; else on `*`. Policies are asked again before each piece, so that who may no longer see
   * them sees no more.
   */
  events(
    asking: Asking,
    parameters: ReadonlyMap<string, readonly string[]>,
    signal: AbortSignal,
  ): Promise<Read<AsyncIterable<string>>> {
    const { recent } = this.#options;
    return perform<EventQuery, AsyncIterable<string>>(
      this.#options,
      asking,
      'ViewEvents',
      { details: describe(parameters) },
      {
        read: () => readQuery(parameters),
        authorize: ({ filter }) => this.#mayView(asking, filter),
        act: ({ filter, follow, ...past }) => {
          const lines = recent.read(eventMatcher(filter), { past, follow, signal });
          if (lines === undefined) return Promise.resolve(fail('ACCOUNT_THROTTLED', 'Too many read along already.'));
          return Promise.resolve(done(this.#whileAllowed(lines, () => this.#mayView(asking, filter))));
        },
      },
    );
  }

  /** `tightbeam:ViewStatus` on `*`. */
  status(asking: Asking): Promise<Read<object>> {
    return this.#report(asking, this.#options.status);
  }

  /** `tightbeam:ViewStatus` on `*`. */
  statistics(asking: Asking): Promise<Read<object>> {
    return this.#report(asking, this.#options.statistics);
  }

  #report(asking: Asking, report: () => object): Promise<Read<object>> {
    const { authorizer } = this.#options;
    return perform(
      this.#options,
      asking,
      'ViewStatus',
      {},
      {
        read: () => done(undefined),
        authorize: () => authorizer.decide(asking.caller, 'tightbeam:ViewStatus', '*'),
        act: () => Promise.resolve(done(report())),
      },
    );
  }

  /** The first refusal, or else an allowance. */
  #mayView({ caller }: Asking, filter: EventFilter): Decision {
    const { authorizer } = this.#options;
    const decide = (resource: string): Decision => authorizer.decide(caller, 'tightbeam:ViewEvents', resource);
    const resources = resourcesOf('client', filter.clientIds) ?? resourcesOf('topic', filter.topics);
    const decisions = (resources ?? ['*']).map(decide);
    return decisions.find(({ effect }) => effect !== 'allow') ?? decisions[0] ?? decide('*');
  }

  async *#whileAllowed(lines: AsyncIterable<string>, decide: () => Decision): AsyncGenerator<string> {
    for await (const line of lines) {
      if (decide().effect !== 'allow') return;
      yield line;
    }
  }
}

/** What is asked for, in one line. */
function describe(parameters: ReadonlyMap<string, readonly string[]>): string | undefined {
  const told = [...parameters]
    .filter(([name]) => !SIGNATURE.test(name))
    .map(([name, values]) => `${name}=${values.join()}`);
  return told.length === 0 ? undefined : told.join(' ');
}

/** Parameters of a presigned URL are none of the query's. */
const SIGNATURE = /^x-amz-/i;

/** Undefined where the filter lets others through too. */
function resourcesOf(type: 'client' | 'topic', names: readonly string[] | undefined): readonly string[] | undefined {
  const exact = names?.every((name) => name !== '' && !name.includes('*')) === true;
  return exact && names.length > 0 ? names.map((name) => `${type}/${name}`) : undefined;
}

function readQuery(parameters: ReadonlyMap<string, readonly string[]>): Read<EventQuery> {
  const own = new Map([...parameters].filter(([name]) => !SIGNATURE.test(name)));
  try {
    return done(readEventQuery(own, Date.now()));
  } catch (error) {
    return invalid((error as Error).message);
  }
}
