import { mapActions } from '../actions.js';
import type { Action } from '../authorizer.js';
import type { Condition } from '../conditions/condition.js';
import type { RequestContext } from '../conditions/context.js';
import type { PolicyDocument, Statement } from '../reading/document.js';
import { resolveTokens, type PlainToken, type Token } from '../matching/pattern.js';
import { indexPatterns, type Entry, type PatternIndex, type Visitor } from '../matching/prefix-index.js';
import { residualsAfter } from '../matching/residuals.js';
import { matchArn, residualsOf, scopeEnd } from '../matching/resource.js';
import { FALSE, TRUE, UNKNOWN, not, some, type Tri } from '../matching/tri.js';
import { finish } from '../work.js';

/** Which account the broker stands for: requests are about `arn:{partition}:iot:{region}:{accountId}:...`. */
export interface ArnScope {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
}

export function arnPrefix({ partition, region, accountId }: ArnScope): string {
  return `arn:${partition}:iot:${region}:${accountId}:`;
}

/** What determines a decision: of the statements of the strongest kind that apply, the first in document order. */
export interface Determination {
  readonly statement: Statement;
  /** `error`: a Deny that could not be evaluated. */
  readonly cause: 'explicitAllow' | 'explicitDeny' | 'error';
}

/** A statement about `iot:Receive` whose conditions hold: what it says about topics. */
export interface ReceiveRule {
  readonly denies: boolean;
  /** True where it is about everything but the patterns. */
  readonly except: boolean;
  /** Patterns of topics, variables replaced. */
  readonly patterns: readonly (readonly PlainToken[])[];
}

interface ActionIndex {
  /** `topic/` and the like; nothing for actions without resource. */
  readonly type: string;
  /** By resource: payloads are places of statements. */
  readonly entries: readonly Entry[];
  readonly byResource: PatternIndex;
  /** Places of statements with NotResource or a variable in the ARN's prefix: tested one by one. */
  readonly others: readonly number[];
}

/** The policies of a principal, compiled. Immutable. */
export class CompiledPolicies {
  /** Every statement in document order: policies as attached, statements as written. */
  readonly statements: readonly Statement[];
  private readonly indexes: Readonly<Record<Action, ActionIndex>>;
  private readonly effects: Effects;

  /** @param prefix what every resource of a request begins with */
  constructor(
    documents: readonly PolicyDocument[],
    private readonly prefix: string,
  ) {
    this.statements = documents.flatMap(({ statements }) => statements);
    this.effects = effectsOf(this.statements);
    const shared = new Map<string, ActionIndex>();
    this.indexes = mapActions((action, type) => {
      const relevant = this.about(action);
      const key = `${type}:${relevant.join()}`;
      const index = shared.get(key) ?? this.index(type, relevant);
      shared.set(key, index);
      return index;
    });
  }

  /**
   * What determines the decision about the action on the resource of the action's own kind; nothing where no statement
   * applies.
   * @param name resource without ARN prefix and kind: a topic, a filter, a client ID
   */
  evaluate(action: Action, name: string, context: RequestContext): Determination | undefined {
    const index = this.indexes[action];
    const search = new Search(this.effects);
    index.byResource.search(name, 0, context, search);
    if (index.others.length > 0) this.scan(index.others, `${this.prefix}${index.type}${name}`, context, search);
    return this.determine(search);
  }

  /** The same for any resource at all, statement by statement. */
  evaluateResource(action: Action, resource: string, context: RequestContext): Determination | undefined {
    const search = new Search(this.effects);
    this.scan(this.about(action), resource, context, search);
    return this.determine(search);
  }

  /**
   * What the statements say about receiving topics that begin with the text, for a decision about many topics at once.
   * A variable without a value widens what a Deny is about, and narrows what an Allow is about.
   */
  receiveRules(beginning: string, context: RequestContext): readonly ReceiveRule[] {
    const index = this.indexes['iot:Receive'];
    const prefix = `${this.prefix}${index.type}`;
    const indexed = new Map<number, (readonly Token[])[]>();
    for (const { tokens, payload } of index.entries) {
      if (!canBegin(tokens[0], beginning)) continue;
      const patterns = indexed.get(payload) ?? [];
      patterns.push(tokens);
      indexed.set(payload, patterns);
    }
    const rules = [...indexed].map(([order, patterns]) => {
      return receiveRule(
        this.statement(order),
        patterns.map((tokens) => ({ tokens, before: '' })),
        context,
      );
    });
    for (const order of index.others) {
      const statement = this.statement(order);
      const whole = statement.resources.flatMap((resource) => {
        const from = scopeEnd(resource, prefix);
        return from < 0 ? [] : [{ tokens: resource.tokens, before: prefix.slice(from) }];
      });
      rules.push(receiveRule(statement, whole, context));
    }
    return rules.filter((rule) => rule !== undefined);
  }

  private statement(order: number): Statement {
    return this.statements[order] as Statement;
  }

  /** Places of the statements about the action. */
  private about(action: Action): number[] {
    return [...this.statements.keys()].filter((order) => this.statement(order).actions.has(action));
  }

  private determine({ deny, unknownDeny, allow }: Search): Determination | undefined {
    if (deny !== NONE) return { statement: this.statement(deny), cause: 'explicitDeny' };
    if (unknownDeny !== NONE) return { statement: this.statement(unknownDeny), cause: 'error' };
    return allow === NONE ? undefined : { statement: this.statement(allow), cause: 'explicitAllow' };
  }

  private scan(orders: readonly number[], resource: string, context: RequestContext, search: Search): void {
    for (const order of orders) {
      const match = matchResource(this.statement(order), resource, context);
      if (match !== FALSE) search.visit(order, match, context);
    }
  }

  private index(type: string, relevant: readonly number[]): ActionIndex {
    const others: number[] = [];
    const entries: Entry[] = [];
    for (const order of relevant) {
      const { resources, exceptResources } = this.statement(order);
      const residuals = exceptResources
        ? [undefined]
        : resources.map((resource) => residualsOf(resource, `${this.prefix}${type}`));
      if (residuals.includes(undefined)) others.push(order);
      else
        for (const tokens of residuals.flatMap((residual) => residual ?? [])) entries.push({ tokens, payload: order });
    }
    return { type, entries, byResource: finish(indexPatterns(entries)), others };
  }
}

/** Effect and conditions of every statement, apart from all else so that a search finds them close together. */
interface Effects {
  /** By statement: twice the place of its conditions, and 1 for a Deny. */
  readonly codes: Int32Array | readonly number[];
  /** The different lists of conditions; the first one is empty. */
  readonly conditions: readonly (readonly Condition[])[];
}

/** A typed array of fewer numbers takes more memory than a list of them. */
const FEW = 64;

function effectsOf(statements: readonly Statement[]): Effects {
  const lists: (readonly Condition[])[] = [[]];
  const places = new Map<string, number>();
  const codes = statements.map(({ policy, effect, conditions }) => {
    let place: number | undefined = 0;
    if (conditions.length > 0) {
      // What is written alike in one policy (whose version says what variables are) is one.
      const key = JSON.stringify([
        policy,
        ...conditions.map(({ operator, key, values }) => [operator, key.name, values]),
      ]);
      place = places.get(key);
      if (place === undefined) {
        place = lists.push(conditions) - 1;
        places.set(key, place);
      }
    }
    return 2 * place + (effect === 'Deny' ? 1 : 0);
  });
  return { codes: codes.length < FEW ? codes : Int32Array.from(codes), conditions: lists };
}

/** Of a pattern what matches a topic, and the text that every topic's resource has before it. */
interface TopicPattern {
  readonly tokens: readonly Token[];
  readonly before: string;
}

/** The statement as a rule, nothing where its conditions keep it from applying. */
function receiveRule(
  statement: Statement,
  patterns: readonly TopicPattern[],
  context: RequestContext,
): ReceiveRule | undefined {
  const denies = statement.effect === 'Deny';
  const conditions = matchConditions(statement.conditions, context);
  if (conditions === FALSE || (conditions === UNKNOWN && !denies)) return undefined;
  const except = statement.exceptResources;
  const known = patterns.flatMap(({ tokens, before }) => {
    const { resolved, missing } = resolveTokens(tokens, context);
    if (missing && denies === except) return [];
    return before === '' ? [resolved] : ((residualsAfter(resolved, before, Infinity) ?? []) as PlainToken[][]);
  });
  return { denies, except, patterns: known };
}

/** Greater than the place of any statement, and a small integer, which costs no memory of its own as Infinity would. */
const NONE = 0x3fffffff;

/** Collects the first matching statement of each kind; conditions are evaluated only where they can matter. */
class Search implements Visitor {
  /** Places of statements. */
  deny = NONE;
  unknownDeny = NONE;
  allow = NONE;

  constructor(private readonly effects: Effects) {}

  visit(order: number, resource: typeof TRUE | typeof UNKNOWN, context: RequestContext): void {
    const code = this.effects.codes[order] as number;
    if ((code & 1) === 0) {
      if (resource !== TRUE || order >= this.allow || this.deny !== NONE) return;
      if (code === 0 || this.holds(code, context) === TRUE) this.allow = order;
      return;
    }
    if (order >= this.deny) return;
    const match = code === 1 ? TRUE : this.holds(code, context);
    if (match === FALSE) return;
    if (match === TRUE && resource === TRUE) this.deny = order;
    else if (order < this.unknownDeny) this.unknownDeny = order;
  }

  private holds(code: number, context: RequestContext): Tri {
    return matchConditions(this.effects.conditions[code >> 1] as readonly Condition[], context);
  }
}

/** Does the statement's Resource or NotResource take in the resource? */
export function matchResource(statement: Statement, resource: string, context: RequestContext): Tri {
  const matches = some(statement.resources, (pattern) => matchArn(pattern, resource, context));
  return statement.exceptResources ? not(matches) : matches;
}

export function matchConditions(conditions: readonly Condition[], context: RequestContext): Tri {
  let result: Tri = TRUE;
  for (const { test } of conditions) {
    const value = test(context);
    if (value === FALSE) return FALSE;
    if (value === UNKNOWN) result = UNKNOWN;
  }
  return result;
}

/** Can a text that begins with the literal (if it is one) begin with `beginning` as well? */
function canBegin(token: Token | undefined, beginning: string): boolean {
  return typeof token !== 'string' || token.startsWith(beginning) || beginning.startsWith(token);
}
