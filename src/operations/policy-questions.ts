import { invalid } from '../direct/properties.js';
import type { Events } from '../observing/events.js';
import { actionMeant, actionNamed, isResourceOf, resourcesOf, typeOf } from '../policy/actions.js';
import type { Action, Authorizer } from '../policy/authorizer.js';
import type { SubscribeRules } from '../policy/deciding/decision.js';
import type { PolicySet } from '../policy/policy-set.js';
import { identify, type Asker } from '../policy/questions/asker.js';
import { explain, type Explanation } from '../policy/questions/explain.js';
import { contextOf } from '../policy/questions/policy-tests.js';
import { whatCan, type WhatCan } from '../policy/questions/what-can.js';
import { whoCan, type WhoCan } from '../policy/questions/who-can.js';
import { finishInSlices, type Work } from '../policy/work.js';
import { done, fail, perform, type Asking, type Steps } from './performing.js';
import type { Read } from './requests.js';

export interface PolicyQuestionsOptions {
  readonly authorizer: Authorizer;
  /** The set in force. */
  readonly current: () => PolicySet;
  readonly rules: SubscribeRules;
  readonly events: Events;
  /** Monotonic clock in milliseconds. */
  readonly clock: () => number;
}

/** One thing that somebody may do or not. */
export interface Asked {
  readonly action: string;
  /** `client/lock-17`, or the whole ARN. */
  readonly resource: string;
}

/** The principal that an answer is about, and the answer. */
export interface WhatOneCan extends WhatCan {
  readonly principal: string;
}

interface Question {
  readonly action: Action;
  readonly resource: string;
}

/** Questions that wait for their turn; each takes a second at the most of a policy set of ordinary size. */
const MAX_WAITING = 16;

/**
 * What the policies in force say, for callers who may know. The answer discloses who may do what, so each question needs
 * `tightbeam:ExplainPolicy` on the resource asked about, or on `*` where it is about all. None rejects, and each reports
 * exactly one event. They are worked on one after another and in slices, so that decisions never wait for them.
 */
export class PolicyQuestions {
  readonly #options: PolicyQuestionsOptions;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(options: PolicyQuestionsOptions) {
    this.#options = options;
  }

  /** One decision, and what each statement has to say about it; of statements about other resources only who may know of all. */
  explain(asking: Asking, asker: Asker, asked: Asked): Promise<Read<Explanation>> {
    const { authorizer, current, rules } = this.#options;
    const details = `explain ${asked.action} on ${asked.resource}`;
    return perform(
      this.#options,
      asking,
      'ExplainPolicy',
      { details },
      {
        ...this.#about(asking, asked),
        act: (question) => {
          const set = current();
          const who = identify(set, asker);
          if (who === undefined)
            return Promise.resolve(invalid('No principal, username, clientId or other fact says who asks.'));
          const { context = {} } = asker;
          const told = explain(set, { ...who, ...question, facts: { overrides: contextOf(context) } }, rules);
          const all = authorizer.decide(asking.caller, 'tightbeam:ExplainPolicy', '*').effect === 'allow';
          return Promise.resolve(
            done(all ? told : { ...told, statements: told.statements.filter(({ aboutResource }) => aboutResource) }),
          );
        },
      },
    );
  }

  /** Everybody who may do it. */
  whoCan(asking: Asking, asked: Asked, topic: string | undefined, signal: AbortSignal): Promise<Read<WhoCan>> {
    const { current } = this.#options;
    const details = `who-can ${asked.action} on ${asked.resource}`;
    return perform(
      this.#options,
      asking,
      'ExplainPolicy',
      { details },
      {
        ...this.#about(asking, asked),
        act: ({ action, resource }) => {
          const name = resource.slice((typeOf(action) ?? '').length);
          return this.#inTurn(whoCan(current(), { action, name, ...(topic !== undefined && { topic }) }), signal);
        },
      },
    );
  }

  /** What a principal may do: with any resource, so the caller must be one who may know of all. */
  whatCan(asking: Asking, asker: Asker, signal: AbortSignal): Promise<Read<WhatOneCan>> {
    const { authorizer, current } = this.#options;
    const details = `what-can ${asker.principal ?? asker.username ?? asker.clientId ?? ''}`;
    return perform(
      this.#options,
      asking,
      'ExplainPolicy',
      { details },
      {
        read: () => done(undefined),
        authorize: () => authorizer.decide(asking.caller, 'tightbeam:ExplainPolicy', '*'),
        act: async () => {
          const set = current();
          const found = identify(set, asker)?.principal;
          if (found === undefined) return invalid('No principal is called so, or stands for such an identity.');
          const answer = await this.#inTurn(whatCan(set, found), signal);
          return answer.ok ? done({ principal: found.principal.name, ...answer.value }) : answer;
        },
      },
    );
  }

  /** How a question about one resource begins. */
  #about({ caller }: Asking, asked: Asked): Pick<Steps<Question, unknown>, 'read' | 'authorize'> {
    const { authorizer, current } = this.#options;
    return {
      read: () => readQuestion(current(), asked),
      authorize: ({ resource }) => authorizer.decide(caller, 'tightbeam:ExplainPolicy', resource),
    };
  }

  /** Does the work once what came before is done. */
  async #inTurn<T>(work: Work<T>, signal: AbortSignal): Promise<Read<T>> {
    if (this.#waiting >= MAX_WAITING) return fail('ACCOUNT_THROTTLED', `${MAX_WAITING} questions about policies wait.`);
    this.#waiting += 1;
    const turn = this.#last.then(() => {
      signal.throwIfAborted();
      return finishInSlices(work, signal);
    });
    this.#last = turn.catch(() => undefined);
    try {
      return done(await turn);
    } finally {
      this.#waiting -= 1;
    }
  }
}

/** The action and its resource, as the engine has them. */
function readQuestion({ arnPrefix }: PolicySet, asked: Asked): Read<Question> {
  const action = actionNamed(asked.action);
  if (action === undefined) {
    const meant = actionMeant(asked.action);
    return invalid(`action is none that is decided here${meant === undefined ? '' : `; is ${meant} meant?`}`);
  }
  const resource = asked.resource.startsWith(arnPrefix) ? asked.resource.slice(arnPrefix.length) : asked.resource;
  if (!isResourceOf(action, resource))
    return invalid(`resource is none for ${action}, which is about ${resourcesOf(action)}.`);
  return done({ action, resource });
}
