import { mapActions } from './actions.js';
import type { Action } from './authorizer.js';
import type { Condition } from './conditions/condition.js';
import type { RequestContext } from './context.js';
import type { PolicyDocument, Statement } from './document.js';
import { ANY, ONE, matchPattern, resolveTokens, type Token } from './pattern.js';
import { PrefixIndex, type Visitor } from './prefix-index.js';
import { FALSE, TRUE, UNKNOWN, not, some, type Tri } from './tri.js';

/** Which account the broker stands for: requests are about `arn:{partition}:iot:{region}:{accountId}:...`. */
export interface ArnScope {
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
}

export function arnPrefix({ partition, region, accountId }: ArnScope): string {
  return `arn:${partition}:iot:${region}:${accountId}:`;
}

/** A statement among those of all policies of a principal; `order` is its place among them. */
export interface OrderedStatement {
  readonly statement: Statement;
  readonly order: number;
  readonly denies: boolean;
  readonly conditions: readonly Condition[];
}

/** What was found: the first statement of each kind in document order. */
export interface Outcome {
  readonly deny: Statement | undefined;
  /** A Deny that could not be evaluated. */
  readonly unknownDeny: Statement | undefined;
  readonly allow: Statement | undefined;
}

/** A statement about `iot:Receive` whose conditions hold: what it says about topics. */
export interface ReceiveRule {
  readonly denies: boolean;
  /** True where it is about everything but the patterns. */
  readonly except: boolean;
  /** Patterns of topics, variables replaced. */
  readonly patterns: readonly (readonly Token[])[];
}

interface ActionIndex {
  /** `topic/` and the like; nothing for actions without resource. */
  readonly type: string;
  readonly entries: readonly (readonly [tokens: readonly Token[], ordered: OrderedStatement])[];
  readonly byResource: PrefixIndex<OrderedStatement>;
  /** NotResource, and resources with a variable in the ARN's prefix: tested one by one. */
  readonly others: readonly OrderedStatement[];
}

/** The policies of a principal, compiled. Immutable. */
export class CompiledPolicies {
  /** Every statement in document order: policies as attached, statements as written. */
  readonly statements: readonly OrderedStatement[];
  private readonly indexes: Readonly<Record<Action, ActionIndex>>;

  /** @param prefix what every resource of a request begins with */
  constructor(
    documents: readonly PolicyDocument[],
    private readonly prefix: string,
  ) {
    this.statements = documents
      .flatMap(({ statements }) => statements)
      .map((statement, order) => {
        return { statement, order, denies: statement.effect === 'Deny', conditions: statement.conditions };
      });
    const shared = new Map<string, ActionIndex>();
    this.indexes = mapActions((action, type) => {
      const relevant = this.statements.filter(({ statement }) => statement.actions.has(action));
      const key = `${type}:${relevant.map(({ order }) => order).join()}`;
      const index = shared.get(key) ?? this.index(type, relevant);
      shared.set(key, index);
      return index;
    });
  }

  /**
   * The statements that determine the decision about the action on the resource of the action's own kind.
   * @param name resource without ARN prefix and kind: a topic, a filter, a client ID
   */
  evaluate(action: Action, name: string, context: RequestContext): Outcome {
    const index = this.indexes[action];
    const search = new Search(context);
    index.byResource.search(name, context, search);
    if (index.others.length > 0) this.scan(index.others, `${this.prefix}${index.type}${name}`, search);
    return search;
  }

  /** The same for any resource at all, statement by statement. */
  evaluateResource(action: Action, resource: string, context: RequestContext): Outcome {
    const search = new Search(context);
    const relevant = this.statements.filter(({ statement }) => statement.actions.has(action));
    this.scan(relevant, resource, search);
    return search;
  }

  /**
   * What the statements say about receiving topics that begin with the text, for a decision about many topics at once.
   * A variable without a value widens what a Deny is about, and narrows what an Allow is about.
   */
  receiveRules(beginning: string, context: RequestContext): readonly ReceiveRule[] {
    const index = this.indexes['iot:Receive'];
    const prefix = `${this.prefix}${index.type}`;
    const indexed = new Map<OrderedStatement, (readonly Token[])[]>();
    for (const [tokens, ordered] of index.entries) {
      if (!canBegin(tokens[0], beginning)) continue;
      const patterns = indexed.get(ordered) ?? [];
      patterns.push(tokens);
      indexed.set(ordered, patterns);
    }
    const rules = [...indexed].map(([{ statement }, patterns]) => receiveRule(statement, patterns, context));
    for (const { statement } of index.others) {
      const whole = statement.resources.map(({ tokens }) => tokens);
      rules.push(receiveRule(statement, whole, context, (tokens) => residualsAfter(tokens, prefix, Infinity) ?? []));
    }
    return rules.filter((rule) => rule !== undefined);
  }

  private scan(statements: readonly OrderedStatement[], resource: string, search: Search): void {
    for (const ordered of statements) {
      const match = matchResource(ordered.statement, resource, search.context);
      if (match !== FALSE) search.visit(ordered, match);
    }
  }

  private index(type: string, relevant: readonly OrderedStatement[]): ActionIndex {
    const others: OrderedStatement[] = [];
    const entries: [readonly Token[], OrderedStatement][] = [];
    for (const ordered of relevant) {
      const { resources, exceptResources } = ordered.statement;
      const residuals = exceptResources
        ? [undefined]
        : resources.map(({ tokens }) => residualsAfter(tokens, `${this.prefix}${type}`));
      if (residuals.includes(undefined)) others.push(ordered);
      else for (const tokens of residuals.flatMap((residual) => residual ?? [])) entries.push([tokens, ordered]);
    }
    return { type, entries, byResource: new PrefixIndex(entries), others };
  }
}

/** The statement as a rule, nothing where its conditions keep it from applying. */
function receiveRule(
  statement: Statement,
  patterns: readonly (readonly Token[])[],
  context: RequestContext,
  strip: (tokens: readonly Token[]) => readonly (readonly Token[])[] = (tokens) => [tokens],
): ReceiveRule | undefined {
  const denies = statement.effect === 'Deny';
  const conditions = matchConditions(statement.conditions, context);
  if (conditions === FALSE || (conditions === UNKNOWN && !denies)) return undefined;
  const except = statement.exceptResources;
  const known = patterns.flatMap((pattern) => {
    const { resolved, missing } = resolveTokens(pattern, context);
    return missing && denies === except ? [] : strip(resolved);
  });
  return { denies, except, patterns: known };
}

/** Greater than the order of any statement, and a small integer, which costs no memory of its own as Infinity would. */
const NONE = 0x3fffffff;

/** Collects the first matching statement of each kind; conditions are evaluated only where they can matter. */
class Search implements Outcome, Visitor<OrderedStatement> {
  deny: Statement | undefined;
  unknownDeny: Statement | undefined;
  allow: Statement | undefined;
  private denyOrder = NONE;
  private unknownOrder = NONE;
  private allowOrder = NONE;

  constructor(readonly context: RequestContext) {}

  visit({ statement, order, denies, conditions }: OrderedStatement, resource: typeof TRUE | typeof UNKNOWN): void {
    if (denies) {
      if (order >= this.denyOrder) return;
      const match = matchConditions(conditions, this.context);
      if (match === FALSE) return;
      if (match === TRUE && resource === TRUE) {
        this.deny = statement;
        this.denyOrder = order;
      } else if (order < this.unknownOrder) {
        this.unknownDeny = statement;
        this.unknownOrder = order;
      }
    } else if (resource === TRUE && order < this.allowOrder && this.denyOrder === NONE) {
      if (conditions.length > 0 && matchConditions(conditions, this.context) !== TRUE) return;
      this.allow = statement;
      this.allowOrder = order;
    }
  }
}

/** Does the statement's Resource or NotResource take in the resource? */
export function matchResource(statement: Statement, resource: string, context: RequestContext): Tri {
  const matches = some(statement.resources, ({ tokens }) => matchPattern(tokens, resource, context));
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

/** More residuals than this would cost more in the index than they save. */
const MAX_RESIDUALS = 4;

/**
 * What is left of a pattern once it has matched `prefix` (ASCII), which every resource of the kind begins with: several
 * patterns where a wildcard may end in several places, none where the pattern cannot match, and nothing where it
 * depends on a variable or there would be too many.
 */
export function residualsAfter(
  tokens: readonly Token[],
  prefix: string,
  limit = MAX_RESIDUALS,
): readonly (readonly Token[])[] | undefined {
  let states = new Positions(tokens).add(0, 0);
  for (let at = 0; at < prefix.length; at++) {
    const next = new Positions(tokens);
    for (const [index, offset] of states.all()) {
      const token = tokens[index];
      if (token === ANY) next.add(index, 0);
      else if (token === ONE) next.add(index + 1, 0);
      else if (typeof token === 'object') return undefined;
      else if (token?.charCodeAt(offset) === prefix.charCodeAt(at)) next.add(index, offset + 1);
    }
    states = next;
  }
  const all = states.all().map(([index, offset]) => {
    const token = tokens[index];
    return typeof token === 'string' ? [token.slice(offset), ...tokens.slice(index + 1)] : tokens.slice(index);
  });
  const everything = all.find((residual) => residual.length === 1 && residual[0] === ANY);
  if (everything !== undefined) return [everything];
  return all.length > limit ? undefined : all;
}

/** Where in a pattern one may be: token, and offset in it if it is text. */
class Positions {
  private readonly found = new Map<string, readonly [index: number, offset: number]>();

  constructor(private readonly tokens: readonly Token[]) {}

  all(): readonly (readonly [index: number, offset: number])[] {
    return [...this.found.values()];
  }

  /** Adds a place, and the one behind it where it is the end of a text or a `*`, which may also stand for nothing. */
  add(index: number, offset: number): this {
    const token = this.tokens[index];
    if (typeof token === 'string' && offset === token.length) return this.add(index + 1, 0);
    this.found.set(`${index}:${offset}`, [index, offset]);
    return token === ANY ? this.add(index + 1, 0) : this;
  }
}
