import type { Authorizer, Decision } from '../../../src/policy/authorizer.js';
import { authorizerOf, type CorpusCase } from '../corpus.js';

/** Decides by the policies of one case of the corpus after the other, behind one transport, and keeps what it decided. */
export class SwitchedAuthorizer implements Authorizer {
  readonly decisions: Decision[] = [];
  #current: Authorizer | undefined;

  /** From now on the policies of this case are in force; what was decided before is forgotten. */
  switchTo(item: CorpusCase): void {
    this.#current = authorizerOf(item);
    this.decisions.length = 0;
  }

  connect: Authorizer['connect'] = (...asked) => this.#keep(this.#authorizer.connect(...asked));
  publish: Authorizer['publish'] = (...asked) => this.#keep(this.#authorizer.publish(...asked));
  subscribe: Authorizer['subscribe'] = (...asked) => this.#keep(this.#authorizer.subscribe(...asked));
  sendDirectMessage: Authorizer['sendDirectMessage'] = (...asked) =>
    this.#keep(this.#authorizer.sendDirectMessage(...asked));
  receiveDirectMessage: Authorizer['receiveDirectMessage'] = (...asked) =>
    this.#keep(this.#authorizer.receiveDirectMessage(...asked));
  decide: Authorizer['decide'] = (...asked) => this.#keep(this.#authorizer.decide(...asked));

  get #authorizer(): Authorizer {
    if (this.#current === undefined) throw new Error('No case is in force.');
    return this.#current;
  }

  #keep(decision: Decision): Decision {
    this.decisions.push(decision);
    return decision;
  }
}
