/** What requests of an action look like, and which patterns tell them apart, in one situation. */
import { typeOf } from '../actions.js';
import type { Action } from '../authorizer.js';
import type { Condition } from '../conditions/condition.js';
import type { ContextKey } from '../conditions/variables.js';
import { ANY, parsePattern, type PlainToken, type Token, type Variable } from '../matching/pattern.js';
import type { Hole, Piece } from '../matching/position-sets.js';
import { residualsOf } from '../matching/resource.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';
import type { Field, Unknown } from './exploring.js';
import { canMeetElsewhere, repeats, shapeOf, type Shape } from './alignment.js';
import { isSameWho, meaningOf } from './meaning.js';
import { thingName, type Situation, type Symbols } from './situations.js';
import { exactly, syntaxOf, TOPIC } from './syntax.js';

/** One of the policies that are compared: those of a principal in a set. */
export interface Side {
  readonly set: PolicySet;
  /** Nobody where no principal stands for whoever asks. */
  readonly found: CompiledPrincipal | undefined;
}

/** What is asked about, where not everything. */
export interface Scope {
  readonly name?: string;
  readonly topic?: string;
}

export interface Form {
  readonly fields: readonly Field[];
  readonly unknowns: readonly Unknown[];
  /** The unknown that is the name itself: the client ID of a CONNECT. */
  readonly self: number | undefined;
  /** Whether a hole can be passed more than once. */
  readonly repeated: boolean;
  /** Why exploring it may miss something; empty where it cannot. */
  readonly unclear: readonly string[];
  /** By statement: the conditions that are not told apart by texts. */
  readonly opaque: ReadonlyMap<Statement, readonly Condition[]>;
}

const COMPARES_TEXT = /^(?:For(?:AnyValue|AllValues):)?String(?:Not)?(?:Equals|Like)(?:IfExists)?$/;

/** Keys that have no value for any action but iot:Connect. */
const OF_CONNECT = /^iot:(?:connectattributes|domainname|lastwilltopic)$/;
const THING_ATTRIBUTE = /^iot:connection\.thing\.attributes\[(.+)\]$/i;

/** Lays down the form of requests. Two sides are compared with each other, one is looked at alone. */
export function formOf(action: Action, situation: Situation, sides: readonly Side[], scope: Scope): Form {
  const draft = new FormDraft(action, situation, scope);
  for (const side of sides) {
    const others = sides.filter((other) => other !== side && isSameWho(other.found, side.found));
    const common = new Set(others.flatMap(({ found }) => (found?.policies.statements ?? []).map(meaningOf)));
    for (const statement of side.found?.policies.statements ?? []) {
      if (statement.actions.has(action)) draft.add(statement, side, common.has(meaningOf(statement)));
    }
  }
  return draft.finish(sides.length > 1);
}

class FormDraft {
  private readonly names: Piece[][] = [];
  private readonly topics: Piece[][] = [];
  private readonly required: number[] = [];
  private readonly unknowns: Unknown[];
  private readonly self: number | undefined;
  private readonly shapes: Shape[] = [];
  private readonly unclear = new Set<string>();
  private readonly opaque = new Map<Statement, readonly Condition[]>();

  constructor(
    private readonly action: Action,
    private readonly situation: Situation,
    private readonly scope: Scope,
  ) {
    const { facts, ownClientId } = situation;
    this.unknowns = [...situation.unknowns];
    this.self = action === 'iot:Connect' ? ownClientId : undefined;
    if (situation.unclear === true) this.unclear.add('a client ID that is made of other facts');
    if (action !== 'iot:Connect' || facts.clientId === undefined) return;
    if (this.self === undefined) this.required.push(this.names.push([...facts.clientId]) - 1);
    else {
      const { patterns, required } = this.unknowns[this.self] as Unknown;
      patterns.forEach((pattern, index) => {
        const place = this.names.push([...pattern]) - 1;
        if (index < required) this.required.push(place);
      });
      for (const thing of situation.things ?? [])
        if (!thing.some((piece) => isHole(piece, this.self))) this.names.push([...thing]);
      this.unknowns[this.self] = { patterns: [], required: 0 };
    }
  }

  add(statement: Statement, side: Side, common: boolean): void {
    const names = statement.resources.flatMap((resource) => {
      const type = typeOf(this.action);
      if (type === undefined) return [];
      const residuals = residualsOf(resource, `${side.set.arnPrefix}${type}`, Infinity);
      if (residuals === undefined) this.unclear.add(`a variable before the name in ${resource.source}`);
      return (residuals ?? []).flatMap((tokens) => this.piecesOf(tokens, side) ?? []);
    });
    this.names.push(...names);
    const topics: Piece[][] = [];
    const opaque = statement.conditions.filter((condition) => !this.tellsApart(condition, side, topics));
    this.topics.push(...topics);
    this.opaque.set(statement, opaque);
    this.shapes.push(shapeOf(statement, common, names, topics));
  }

  finish(compared: boolean): Form {
    const { name, topic } = this.scope;
    const syntax = syntaxOf(this.action);
    const fields: Field[] = [
      { patterns: this.names, syntax: name === undefined ? syntax : exactly(name), required: this.required },
    ];
    if (this.action === 'iot:SendDirectMessage') {
      fields.push({ patterns: this.topics, syntax: topic === undefined ? TOPIC : exactly(topic), required: [] });
    }
    const meetElsewhere = canMeetElsewhere(this.shapes, compared);
    if (meetElsewhere) this.unclear.add('variables that may stand in several places of one name');
    return {
      fields,
      unknowns: this.unknowns,
      self: this.self,
      repeated: meetElsewhere || this.shapes.some(repeats),
      unclear: [...this.unclear],
      opaque: this.opaque,
    };
  }

  /** Tokens with variables replaced by what is known of them; nothing where no name can match. */
  private piecesOf(tokens: readonly Token[], side: Side): [Piece[]] | undefined {
    const pieces: Piece[] = [];
    for (const token of tokens) {
      if (typeof token !== 'object') pieces.push(token);
      else pieces.push(...(this.valueOf(token, side) ?? WILD));
    }
    if (this.self === undefined || !pieces.some((piece) => isHole(piece, this.self))) return [pieces];
    // The name has itself in it: that is all there is.
    const rest = pieces.filter((piece) => !isHole(piece, this.self));
    return rest.length === pieces.length - 1 && rest.every((piece) => piece === ANY) ? [[ANY]] : undefined;
  }

  private valueOf({ key, fallback }: Variable, side: Side): Symbols | undefined {
    const symbols = this.symbolsOf(key, side);
    if (symbols === UNSAID) {
      this.unclear.add(`the variable \${${key.name}}`);
      return undefined;
    }
    return symbols ?? (fallback === undefined ? undefined : [fallback]);
  }

  /** What a key has: nothing where it has no value, UNSAID where the situation does not say. */
  private symbolsOf({ name, known }: ContextKey, { found }: Side): Symbols | undefined | typeof UNSAID {
    const { facts, given, absent } = this.situation;
    const key = name.toLowerCase();
    const own = given.get(key);
    if (own !== undefined || absent.has(key) || !known) return own;
    const thing = found?.principal.thing;
    const called = thing && thingName(this.situation, thing);
    const attribute = THING_ATTRIBUTE.exec(name)?.[1];
    if (attribute !== undefined) return called && textual(thing.attributes.get(attribute));
    switch (key) {
      case 'iot:clientid':
        return facts.clientId;
      case 'aws:username':
        return facts.username ?? textual(found?.principal.name);
      case 'iot:connection.thing.thingname':
        return called;
      case 'iot:connection.thing.thingtypename':
        return called && textual(thing.type);
      case 'iot:connection.thing.isattached':
        return textual(called === undefined ? 'false' : 'true');
      case 'iot:certificate.subject.commonname':
        return facts.distinguishedName === undefined ? (facts.commonName ?? UNSAID) : UNSAID;
      case 'iot:topic':
        return this.action === 'iot:SendDirectMessage' ? UNSAID : undefined;
    }
    return OF_CONNECT.test(key) && this.action !== 'iot:Connect' ? undefined : UNSAID;
  }

  /** Takes the condition into account where texts of the request alone decide it. */
  private tellsApart(condition: Condition, side: Side, topics: Piece[][]): boolean {
    const { operator, values } = condition;
    const key = condition.key.name.toLowerCase();
    if (!condition.key.known) return true;
    const isTopic = key === 'iot:topic' && this.action === 'iot:SendDirectMessage';
    const symbols = this.symbolsOf(condition.key, side);
    if (symbols === UNSAID && !isTopic) return false;
    if (symbols === undefined) return true;
    const patterns = values.map((value) => this.valuePattern(value, condition, side));
    if (patterns.includes(undefined)) return false;
    const known = patterns.filter((pattern) => pattern !== undefined);
    const open = known.some((pattern) => pattern.some((piece) => typeof piece === 'object'));
    if (isTopic) {
      if (operator === 'Null') return true;
      if (!COMPARES_TEXT.test(operator)) return false;
      topics.push(...known);
      return true;
    }
    if (symbols === UNSAID) return !open;
    if (symbols.every((symbol) => typeof symbol === 'string') || operator === 'Null') return !open;
    if (!COMPARES_TEXT.test(operator)) return false;
    if (open) return known.some((pattern) => JSON.stringify(pattern) === JSON.stringify(symbols));
    const [only, ...more] = symbols;
    if (typeof only !== 'object' || more.length > 0) return false;
    if (only.hole === this.self) this.names.push(...known);
    else {
      const unknown = this.unknowns[only.hole] as Unknown;
      this.unknowns[only.hole] = { ...unknown, patterns: [...unknown.patterns, ...(known as PlainToken[][])] };
    }
    return true;
  }

  /** A value as a pattern; nothing where it has a variable of which nothing is said. */
  private valuePattern(value: string, { operator, variables }: Condition, side: Side): Piece[] | undefined {
    if (!variables || !value.includes('${')) {
      return COMPARES_TEXT.test(operator)
        ? ([...parsePattern(value, { wildcards: operator.includes('Like'), variables }).tokens] as Piece[])
        : [value];
    }
    const { tokens } = parsePattern(value, { wildcards: /Like|Arn/.test(operator), variables });
    const pieces: Piece[] = [];
    for (const token of tokens) {
      if (typeof token !== 'object') pieces.push(token);
      else {
        const symbols = this.symbolsOf(token.key, side);
        if (symbols === UNSAID) return undefined;
        pieces.push(...(symbols ?? (token.fallback === undefined ? WILD : [token.fallback])));
      }
    }
    return pieces;
  }
}

const UNSAID = 'unsaid';
const WILD: readonly Piece[] = [ANY];

function textual(text: string | undefined): Symbols | undefined {
  return text === undefined ? undefined : [text];
}

function isHole(piece: Piece, hole: number | undefined): piece is Hole {
  return typeof piece === 'object' && piece.hole === hole;
}
