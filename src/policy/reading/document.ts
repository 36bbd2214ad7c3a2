import { actionMeant, actionsOf, ACTION_NAMES, isActionPattern } from '../actions.js';
import type { Action } from '../authorizer.js';
import {
  compileCondition,
  parseOperator,
  OPERATORS,
  type Condition,
  type OperatorName,
} from '../conditions/condition.js';
import { isObject, readJson, reportUnknown, type Json, type JsonObject } from './json.js';
import { documentIn } from './command-output.js';
import type { Steps } from './json-scanner.js';
import { PatternError } from '../matching/pattern.js';
import type { Reporter } from './problems.js';
import { parseResource, type ResourcePattern } from '../matching/resource.js';
import { contextKey, keyMeant, type ContextKey } from '../conditions/variables.js';

/** A statement that has been read: nothing of it can fail any more but for want of facts. */
export interface Statement {
  /** Name of the policy it belongs to. */
  readonly policy: string;
  /** Sid, or the index in the policy as text. */
  readonly id: string;
  readonly index: number;
  readonly effect: 'Allow' | 'Deny';
  readonly actions: ReadonlySet<Action>;
  /** Whole ARNs, or `*`. */
  readonly resources: readonly ResourcePattern[];
  /** NotResource: the statement is about everything but `resources`. */
  readonly exceptResources: boolean;
  readonly conditions: readonly Condition[];
}

export interface PolicyDocument {
  readonly name: string;
  readonly statements: readonly Statement[];
}

const DOCUMENT_ELEMENTS = ['$schema', 'Version', 'Id', 'Statement'];
const STATEMENT_ELEMENTS = ['Sid', 'Effect', 'Action', 'NotAction', 'Resource', 'NotResource', 'Condition'];
const VERSIONS = ['2012-10-17', '2008-10-17'];
/** AWS IoT Core and IAM count characters without white space. */
const IOT_LIMIT = 2048;
const IAM_LIMIT = 6144;

/**
 * Reads a policy. Every problem goes to the reporter; the policy comes back only where none of them is an error.
 * @param name under which principals attach it
 * @param text JSON, at most 16 MiB
 */
export function parsePolicy(name: string, text: string, report: Reporter): PolicyDocument | undefined {
  const before = report.problems.length;
  const whole = readJson(text, report, statementOf);
  if (whole === undefined) return undefined;
  const { root, at } = documentIn(whole, report, statementOf);
  if (root === undefined) return undefined;
  if (!isObject(root)) {
    at.expected('an object with Version and Statement', root);
    return undefined;
  }
  return readDocument(name, text, root, before, at);
}

function readDocument(
  name: string,
  text: string,
  root: JsonObject,
  before: number,
  report: Reporter,
): PolicyDocument | undefined {
  reportUnknown(root, DOCUMENT_ELEMENTS, report);
  const statements = readStatements(name, root, readVersion(root, report), report);
  const size = text.replace(/\s+/g, '').length;
  if (size > IOT_LIMIT) {
    report.warn(
      `${size} characters are over the limit of AWS: ${IOT_LIMIT} for AWS IoT, ${IAM_LIMIT} for IAM policies`,
    );
  }
  const failed = report.problems.slice(before).some(({ severity }) => severity === 'error');
  return failed ? undefined : { name, statements };
}

/** The statement that an element belongs to: its Sid or index. */
function statementOf([element, index = 0]: Steps, root: Json | undefined): string | undefined {
  if (element !== 'Statement') return undefined;
  const found = isObject(root) ? root['Statement'] : undefined;
  const statement = Array.isArray(found) ? found[Number(index)] : found;
  const sid = isObject(statement) ? statement['Sid'] : undefined;
  return typeof sid === 'string' && sid !== '' ? sid : String(typeof index === 'number' ? index : 0);
}

/** True where the version has policy variables. Without Version it is 2008-10-17 (IAM, "Version element"). */
function readVersion(root: JsonObject, report: Reporter): boolean {
  const version = root['Version'];
  if (version === undefined) {
    report.warn('no Version: it is taken as 2008-10-17, which has no policy variables');
    return false;
  }
  if (typeof version !== 'string' || !VERSIONS.includes(version)) {
    report.at('Version').expected(VERSIONS.join(' or '), version);
  }
  return version === '2012-10-17';
}

function readStatements(policy: string, root: JsonObject, variables: boolean, report: Reporter): Statement[] {
  const found = root['Statement'];
  const at = report.at('Statement');
  if (!Array.isArray(found)) {
    if (isObject(found)) return [readStatement(policy, found, 0, variables, at)].filter((item) => item !== undefined);
    at.expected('a statement or an array of statements', found);
    return [];
  }
  if (found.length === 0) at.expected('at least one statement');
  const seen = new Set<string>();
  const statements: Statement[] = [];
  found.forEach((item: Json, index) => {
    const statement = readStatement(policy, item, index, variables, at.at(index));
    if (statement === undefined) return;
    if (seen.has(statement.id)) at.at(index).named(statement.id).expected('a Sid that no other statement has');
    seen.add(statement.id);
    statements.push(statement);
  });
  return statements;
}

function readStatement(
  policy: string,
  found: Json,
  index: number,
  variables: boolean,
  unnamed: Reporter,
): Statement | undefined {
  if (!isObject(found)) {
    unnamed.named(String(index)).expected('a statement', found);
    return undefined;
  }
  const sid = found['Sid'];
  const id = typeof sid === 'string' && sid !== '' ? sid : String(index);
  const report = unnamed.named(id);
  if (sid !== undefined && typeof sid !== 'string') report.at('Sid').expected('a text', sid);
  reportUnknown(found, STATEMENT_ELEMENTS, report);
  const effect = found['Effect'];
  if (effect === undefined) report.at('Effect').expected('Allow or Deny, found nothing');
  else if (effect !== 'Allow' && effect !== 'Deny') report.at('Effect').expected('Allow or Deny', effect);
  return {
    policy,
    id,
    index,
    effect: effect === 'Allow' ? 'Allow' : 'Deny',
    actions: readActions(found, report),
    resources: readResources(found, variables, report),
    exceptResources: found['NotResource'] !== undefined,
    conditions: readConditions(found['Condition'], variables, report.at('Condition')),
  };
}

/** The texts of exactly one of two elements, each with the place where it stands. */
function readEither(
  statement: JsonObject,
  names: readonly [string, string],
  report: Reporter,
): readonly (readonly [text: string, at: Reporter])[] {
  const present = names.filter((name) => statement[name] !== undefined);
  const [name] = present;
  if (name === undefined || present.length > 1) {
    report.expected(`exactly one of ${names.join(' and ')}`);
    return [];
  }
  return readTexts(statement[name], report.at(name));
}

/** A text, or a non-empty array of texts. */
function readTexts(found: Json | undefined, at: Reporter): readonly (readonly [text: string, at: Reporter])[] {
  if (typeof found === 'string') return [[found, at]];
  if (!Array.isArray(found) || found.length === 0) {
    at.expected('a text or a non-empty array of texts', found);
    return [];
  }
  return found.flatMap((item: Json, index) => {
    if (typeof item === 'string') return [[item, at.at(index)] as const];
    at.at(index).expected('a text', item);
    return [];
  });
}

function readActions(statement: JsonObject, report: Reporter): ReadonlySet<Action> {
  const named = new Set<Action>();
  for (const [text, at] of readEither(statement, ['Action', 'NotAction'], report)) {
    if (!isActionPattern(text)) {
      at.expected('an action like iot:Connect, iot:* or *', text);
      continue;
    }
    const actions = actionsOf(text);
    if (actions.length === 0) {
      const meant = actionMeant(text);
      at.warn(`${text} is no action that is decided here${meant === undefined ? '' : `; is ${meant} meant?`}`);
    }
    for (const action of actions) named.add(action);
  }
  return actionSet(ACTION_NAMES.filter((action) => named.has(action) === (statement['NotAction'] === undefined)));
}

const actionSets = new Map<string, ReadonlySet<Action>>();

/** The same set for the same actions: there are few different ones, and many statements. */
function actionSet(actions: readonly Action[]): ReadonlySet<Action> {
  const key = actions.join();
  const set = actionSets.get(key) ?? new Set(actions);
  actionSets.set(key, set);
  return set;
}

function readResources(statement: JsonObject, variables: boolean, report: Reporter): readonly ResourcePattern[] {
  return readEither(statement, ['Resource', 'NotResource'], report).flatMap(([text, at]) => {
    const resource = attempt(at, text, () => parseResource(text, variables));
    for (const { key } of resource?.variables ?? []) warnWithoutValue(key, at);
    return resource === undefined ? [] : [resource];
  });
}

function readConditions(found: Json | undefined, variables: boolean, report: Reporter): readonly Condition[] {
  if (found === undefined) return [];
  if (!isObject(found)) {
    report.expected('an object of condition operators', found);
    return [];
  }
  return Object.entries(found).flatMap(([operator, keys]) => {
    const at = report.at(operator);
    const parsed = parseOperator(operator);
    if (parsed === undefined) {
      at.expected(`a condition operator (${OPERATORS.join(', ')}), perhaps with ForAnyValue:, ForAllValues:, IfExists`);
      return [];
    }
    if (!isObject(keys) || Object.keys(keys).length === 0) {
      at.expected('an object of condition keys', keys);
      return [];
    }
    return Object.entries(keys).flatMap(([name, values]) => {
      const key = contextKey(name);
      warnWithoutValue(key, at.at(name));
      const texts = readValues(values, parsed, at.at(name));
      const condition = attempt(at.at(name), undefined, () =>
        compileCondition(operator, parsed, key, texts, variables),
      );
      return condition === undefined ? [] : [condition];
    });
  });
}

/**
 * Values are texts, numbers or booleans, one or several. With a set operator also none (AWS IoT Core Developer Guide,
 * "Connect policy examples": no `iot:ConnectAttributes` at all).
 */
function readValues(found: Json, { operator, set }: OperatorName, at: Reporter): readonly string[] {
  const isNull = operator === 'Null';
  const values = Array.isArray(found) ? found : [found];
  if (values.length === 0 && set === undefined) at.expected('at least one value');
  return values.flatMap((value, index) => {
    const place = Array.isArray(found) ? at.at(index) : at;
    if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
      place.expected('a text, number or boolean', value);
      return [];
    }
    const text = String(value);
    if (isNull && text !== 'true' && text !== 'false') {
      place.expected('true or false', value);
      return [];
    }
    return [text];
  });
}

function warnWithoutValue(key: ContextKey, at: Reporter): void {
  if (!key.known) {
    const meant = keyMeant(key.name);
    const hint = meant === undefined ? '' : `; is ${meant} meant?`;
    at.warn(`${key.name} is no key that is known here, and never has a value${hint}`);
  } else if (key.toldBy !== 'all') {
    const without = key.toldBy === 'nobody' ? '' : 'without the plugin or the door ';
    at.warn(
      `${without}brokers do not tell ${key.name}: an Allow that asks for it does not match, a Deny that asks for it denies`,
    );
  }
}

/** The result, or nothing where the text was malformed, which is reported. */
function attempt<T>(at: Reporter, found: string | undefined, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    at.expected(error.message, found);
    return undefined;
  }
}
