import type { Identity } from '../../identity/identity.js';
import type { Action, Decision } from '../authorizer.js';
import { matchConditions, matchResource } from '../deciding/compile.js';
import { CONNECT_UNTOLD, RequestContext, type ExtraFacts } from '../conditions/context.js';
import { decideResource, decideSubscription, type SubscribeRules } from '../deciding/decision.js';
import type { Statement } from '../reading/document.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import { valueOf, type Variable } from '../matching/pattern.js';
import { FALSE, TRUE } from '../matching/tri.js';
import { unknownsOf } from '../deciding/unknowns.js';

/** What one statement had to say. */
export interface StatementExplanation {
  readonly policy: string;
  readonly statement: string;
  readonly effect: 'Allow' | 'Deny';
  /** Whether the resource is, or may be, one of its own. */
  readonly aboutResource: boolean;
  /** Whether it matched; `unknown` counts as a match for a Deny and as none for an Allow. */
  readonly matched: 'yes' | 'no' | 'unknown';
  /** Why it did not match or could not be evaluated; empty where it matched. */
  readonly because: readonly string[];
}

export interface Explanation {
  readonly decision: Decision;
  /** Every statement of the principal's policies, about the action and resource of the decision: what is nearest to a match first. */
  readonly statements: readonly StatementExplanation[];
}

export interface Question {
  readonly identity: Identity;
  /** Who stands for the identity; nobody is a valid answer. */
  readonly principal: CompiledPrincipal | undefined;
  readonly action: Action;
  /** Without its ARN prefix. */
  readonly resource: string;
  readonly facts: ExtraFacts;
}

/**
 * Decides as the authorizer does, and says for each statement why it did or did not match. A subscription that fails on
 * what its filter matches is explained by the topic on which it fails: `decision.action` is `iot:Receive` then.
 */
export function explain(set: PolicySet, question: Question, rules: SubscribeRules, clock = Date.now): Explanation {
  const { identity, principal: found, action, resource, facts } = question;
  const context = new RequestContext(identity, clock, found?.principal, {
    ...(action === 'iot:Connect' && facts.connectAttributes === undefined && CONNECT_UNTOLD),
    ...facts,
  });
  const request = { set, found, context };
  const decision =
    action === 'iot:Subscribe' && resource.startsWith('topicfilter/')
      ? decideSubscription(request, resource.slice('topicfilter/'.length), rules)
      : decideResource(request, action, resource);
  const statements = (found?.policies.statements ?? [])
    .map((statement) => ({
      distance: distanceOf(statement, decision, context),
      explanation: explainStatement(statement, decision, context),
    }))
    .sort((one, other) => one.distance - other.distance)
    .map(({ explanation }) => explanation);
  return { decision, statements };
}

/** What stands between the statement and a match: nothing, what is not known, or so many things; the action weighs most. */
function distanceOf(statement: Statement, { action, resource }: Decision, context: RequestContext): number {
  const conditions = statement.conditions.map((condition) => condition.test(context));
  const about = matchResource(statement, resource, context);
  const missed = [about, ...conditions].filter((result) => result === FALSE).length;
  const unknown = [about, ...conditions].filter((result) => result !== FALSE && result !== TRUE).length;
  return (statement.actions.has(action) ? 0 : 1_000_000) + missed * 1_000 + unknown;
}

function explainStatement(
  statement: Statement,
  { action, resource }: Decision,
  context: RequestContext,
): StatementExplanation {
  const about = matchResource(statement, resource, context);
  const { policy, id, effect } = statement;
  const whose = { policy, statement: id, effect, aboutResource: about !== FALSE };
  const conditions = matchConditions(statement.conditions, context);
  const because = [
    ...(statement.actions.has(action) ? [] : [`it is not about ${action}`]),
    ...(about === FALSE ? [describeResources(statement, context)] : []),
    ...failingConditions(statement, context),
  ];
  if (because.length > 0) return { ...whose, matched: 'no', because };
  if (about === TRUE && conditions === TRUE) return { ...whose, matched: 'yes', because };
  return { ...whose, matched: 'unknown', because: unknownsOf(statement, context) };
}

function describeResources({ resources, exceptResources }: Statement, context: RequestContext): string {
  const sources = resources.map(({ source, variables }) => source + substituted(variables, context)).join(', ');
  return exceptResources ? `the resource is one of NotResource ${sources}` : `the resource is none of ${sources}`;
}

/** What the variables of a resource stand for in this request. */
function substituted(variables: readonly Variable[], context: RequestContext): string {
  if (variables.length === 0) return '';
  const values = variables.map((variable) => {
    const value = valueOf(variable, context);
    return `\${${variable.key.name}} is ${value === undefined ? 'without value' : JSON.stringify(value)}`;
  });
  return ` (${[...new Set(values)].join(', ')})`;
}

function failingConditions({ conditions }: Statement, context: RequestContext): readonly string[] {
  return conditions
    .filter((condition) => condition.test(context) === FALSE)
    .map(({ operator, key, values }) => {
      const value = key.resolve(context);
      const actual = value === undefined ? 'nothing' : JSON.stringify(value);
      return `${operator} ${key.name}: ${values.join(' or ')} does not hold for ${actual}`;
    });
}
