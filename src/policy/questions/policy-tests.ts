import type { Identity } from '../../identity/identity.js';
import { actionNamed } from '../actions.js';
import type { Action, Decision } from '../authorizer.js';
import type { ExtraFacts } from '../conditions/context.js';
import type { SubscribeRules } from '../deciding/decision.js';
import { explain, type Explanation } from './explain.js';
import { isObject, readJson, reportUnknown, type Json, type JsonObject } from '../reading/json.js';
import type { PolicySet } from '../policy-set.js';
import type { Reporter } from '../reading/problems.js';

/** What a row of a table of tests expects: each field that is given must be equal. */
export type Expectation = Partial<Pick<Decision, 'effect' | 'cause' | 'policy' | 'statement' | 'principalId'>>;

export interface PolicyTest {
  readonly name: string;
  readonly identity: Identity;
  readonly action: Action;
  /** Without its ARN prefix: `client/lock-17`. */
  readonly resource: string;
  readonly facts: ExtraFacts;
  readonly expect: Expectation;
}

export interface PolicyTestResult {
  readonly test: PolicyTest;
  readonly passed: boolean;
  readonly explanation: Explanation;
}

const TEST_ELEMENTS = ['name', 'identity', 'action', 'resource', 'context', 'expect'];
const IDENTITY_ELEMENTS = [
  'username',
  'clientId',
  'accessKeyId',
  'jwtSubject',
  'certificate',
  'sourceIp',
  'secureTransport',
];
const EXPECT_ELEMENTS = ['effect', 'cause', 'policy', 'statement', 'principalId'];

/** Reads a table of tests; what is wrong with it goes to the reporter. */
export function parsePolicyTests(text: string, report: Reporter): readonly PolicyTest[] {
  const root = readJson(text, report);
  if (root === undefined) return [];
  const rows = isObject(root) ? root['tests'] : undefined;
  if (!isObject(root) || !Array.isArray(rows)) {
    report.expected('an object {"tests": [...]}', root);
    return [];
  }
  reportUnknown(root, ['$schema', 'tests'], report);
  return rows.flatMap((row, index) => readTest(row, report.at('tests').at(index)) ?? []);
}

/** Decides what each test asks, as the service would. */
export function runPolicyTests(
  set: PolicySet,
  tests: readonly PolicyTest[],
  rules: SubscribeRules,
): readonly PolicyTestResult[] {
  return tests.map((test) => {
    const { identity, action, resource, facts, expect } = test;
    const explanation = explain(set, { identity, principal: set.resolve(identity), action, resource, facts }, rules);
    const passed = Object.entries(expect).every(
      ([field, value]) => explanation.decision[field as keyof Expectation] === value,
    );
    return { test, passed, explanation };
  });
}

function readTest(found: Json, report: Reporter): PolicyTest | undefined {
  if (!isObject(found)) {
    report.expected('an object', found);
    return undefined;
  }
  reportUnknown(found, TEST_ELEMENTS, report);
  const { name, resource } = found;
  const action = typeof found['action'] === 'string' ? actionNamed(found['action']) : undefined;
  if (typeof name !== 'string') report.at('name').expected('a text', name);
  if (action === undefined) report.at('action').expected('an action like iot:Connect', found['action']);
  if (typeof resource !== 'string') report.at('resource').expected('a resource like client/lock-17', resource);
  const identity = readIdentity(found['identity'], report.at('identity'));
  const overrides = readContext(found['context'], report.at('context'));
  const expect = readExpectation(found['expect'], report.at('expect'));
  if (typeof name !== 'string' || typeof resource !== 'string' || action === undefined) return undefined;
  return { name, identity, action, resource, facts: { overrides }, expect };
}

/** An access key is of an HTTP caller, everything else of an MQTT client. */
function readIdentity(found: Json | undefined, at: Reporter): Identity {
  if (!isObject(found)) {
    at.expected('an object with username, clientId, accessKeyId and the like', found ?? null);
    return { protocol: 'MQTT' };
  }
  reportUnknown(found, IDENTITY_ELEMENTS, at);
  for (const name of ['username', 'clientId', 'accessKeyId', 'jwtSubject', 'sourceIp']) {
    if (found[name] !== undefined && typeof found[name] !== 'string') at.at(name).expected('a text', found[name]);
  }
  const { certificate } = found;
  const commonName = isObject(certificate) ? certificate['commonName'] : undefined;
  if (certificate !== undefined && typeof commonName !== 'string') {
    at.at('certificate').expected('an object with commonName and perhaps distinguishedName', certificate);
  }
  return { ...(found as Partial<Identity>), protocol: found['accessKeyId'] === undefined ? 'MQTT' : 'HTTP' };
}

/** Values of context keys by lower-case name. */
function readContext(found: Json | undefined, at: Reporter): ReadonlyMap<string, string | readonly string[]> {
  if (found !== undefined && !isObject(found)) at.expected('an object of condition keys', found);
  return contextOf(isObject(found) ? found : {});
}

/** By lower-case key. A value stands alone or in an array; one in an array is one that stands alone. */
export function contextOf(
  values: JsonObject | Readonly<Record<string, string | readonly string[]>>,
): ReadonlyMap<string, string | readonly string[]> {
  return new Map(
    Object.entries(values).map(([key, value]) => {
      const texts = (Array.isArray(value) ? value : [value]).map(String);
      return [key.toLowerCase(), texts.length === 1 ? (texts[0] ?? '') : texts];
    }),
  );
}

function readExpectation(found: Json | undefined, at: Reporter): Expectation {
  if (found === 'allow' || found === 'deny') return { effect: found };
  if (!isObject(found) || Object.keys(found).length === 0) {
    at.expected('allow, deny, or an object with effect, cause, policy, statement', found);
    return {};
  }
  reportUnknown(found, EXPECT_ELEMENTS, at);
  return found;
}
