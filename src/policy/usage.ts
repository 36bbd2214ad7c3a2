import type { Authorizer, Decision } from './authorizer.js';
import type { PolicySet } from './policy-set.js';
import type { Statement } from './reading/document.js';

/** How often one statement has decided. */
export interface StatementUse {
  readonly policy: string;
  /** Sid, or the index in the policy as text. */
  readonly statement: string;
  readonly effect: Statement['effect'];
  readonly decisions: number;
  /** Of the latest decision: milliseconds since 1970; absent where there was none. */
  readonly last?: number;
  /** Counted since then: milliseconds since 1970. */
  readonly since: number;
}

interface Use {
  decisions: number;
  last: number | undefined;
  readonly since: number;
}

/**
 * Counts, for each statement in force, how often it determined a decision. As many counters as there are statements:
 * those of a set that has been replaced go with it, and a statement of the same policy and name goes on.
 */
export class PolicyUsage {
  readonly #clock: () => number;
  #set: PolicySet | undefined;
  /** By policy and statement: a decision brings the two texts as they are, and none is made of them. */
  #uses = new Map<string, Map<string, Use>>();

  /** @param clock milliseconds since 1970 */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Counts for this set from now on. Cheap where it is the same. */
  follow(set: PolicySet): void {
    if (set === this.#set) return;
    this.#set = set;
    const since = this.#clock();
    const before = this.#uses;
    this.#uses = new Map();
    for (const { policy, id } of statementsOf(set)) {
      const ofPolicy = this.#uses.get(policy) ?? new Map<string, Use>();
      ofPolicy.set(id, before.get(policy)?.get(id) ?? { decisions: 0, last: undefined, since });
      this.#uses.set(policy, ofPolicy);
    }
  }

  /** A decision that no statement determined, or one of a set that is no more, counts nowhere. */
  count({ policy, statement }: Decision): void {
    if (policy === undefined || statement === undefined) return;
    const use = this.#uses.get(policy)?.get(statement);
    if (use === undefined) return;
    use.decisions += 1;
    use.last = this.#clock();
  }

  /** Every statement in force: first those that never decided, then by the time of the latest decision. */
  report(): readonly StatementUse[] {
    if (this.#set === undefined) return [];
    return [...statementsOf(this.#set)]
      .flatMap(({ policy, id, effect }): StatementUse[] => {
        const use = this.#uses.get(policy)?.get(id);
        if (use === undefined) return [];
        const { decisions, last, since } = use;
        return [{ policy, statement: id, effect, decisions, ...(last !== undefined && { last }), since }];
      })
      .sort((one, other) => (one.last ?? 0) - (other.last ?? 0));
  }

  /** The same authorizer; what its decisions were determined by is counted. @param current the set in force */
  counting(authorizer: Authorizer, current: () => PolicySet): Authorizer {
    const counted = (decision: Decision): Decision => {
      this.follow(current());
      this.count(decision);
      return decision;
    };
    return {
      connect: (...asked) => counted(authorizer.connect(...asked)),
      publish: (...asked) => counted(authorizer.publish(...asked)),
      subscribe: (...asked) => counted(authorizer.subscribe(...asked)),
      sendDirectMessage: (...asked) => counted(authorizer.sendDirectMessage(...asked)),
      receiveDirectMessage: (...asked) => counted(authorizer.receiveDirectMessage(...asked)),
      decide: (...asked) => counted(authorizer.decide(...asked)),
    };
  }
}

function* statementsOf({ documents }: PolicySet): Iterable<Statement> {
  for (const { statements } of documents.values()) yield* statements;
}
