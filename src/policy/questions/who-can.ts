/** Who may do something: the question a decision answers, asked of everybody at once. */
import type { Action } from '../authorizer.js';
import { RequestContext } from '../conditions/context.js';
import { matchResource } from '../deciding/compile.js';
import { matchTokens, type PlainToken } from '../matching/pattern.js';
import { FALSE } from '../matching/tri.js';
import type { PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';
import type { Work } from '../work.js';
import { TOO_LARGE } from './comparing.js';
import { explore } from './exploring.js';
import { formOf, type Side } from './forms.js';
import { factsFor, openStatements, possibleAnswers } from './conditions.js';
import { interestsOf } from './interests.js';
import {
  answer,
  arnOf,
  contextFor,
  isAsExplored,
  requestOf,
  requestToJson,
  withFacts,
  type SampleRequest,
} from './requests.js';
import { patternsOf, situationsOf, type AnyClause, type Pattern } from './situations.js';

/** A principal who may, with one of the statements that say so. */
export interface Grant {
  readonly principal: string;
  /** What is true of all of them: facts of the identity as patterns, in which `*` is any text. */
  readonly who: Pattern;
  /** An identity of which the engine says so. */
  readonly request: SampleRequest;
  readonly policy: string;
  readonly statement: string;
}

export interface WhoCan {
  readonly grants: readonly Grant[];
  /** Principals of whom it could not be made out whether anybody else of them may, and why. */
  readonly unclear: readonly { readonly principal: string; readonly reasons: readonly string[] }[];
}

export interface WhoCanQuestion {
  readonly action: Action;
  /** Client ID, topic or filter. */
  readonly name: string;
  /** Of a direct message; any where absent. */
  readonly topic?: string;
  /** Of whoever asks; any where absent. */
  readonly clientId?: string;
}

/** The answer as JSON has it. */
export function whoCanToJson({ grants, unclear }: WhoCan): object {
  return { grants: grants.map((grant) => ({ ...grant, request: requestToJson(grant.request) })), unclear };
}

/** Steps and positions for each principal. */
const BUDGET = 300_000;

/** Everybody who may; with no grants and nothing unclear it is nobody. */
export function* whoCan(
  set: PolicySet,
  { action, name, topic, clientId }: WhoCanQuestion,
  { now = Date.now(), budget: granted = BUDGET }: { readonly now?: number; readonly budget?: number } = {},
): Work<WhoCan> {
  const grants = new Map<string, Grant>();
  const unclear = new Map<string, Set<string>>();
  const clauses: readonly AnyClause[] = [...set.principals.clauses, ...set.principals.anonymous.clauses];
  const rivals = clauses.filter(({ tokens }) =>
    [...tokens.values()].some((pattern) => pattern.some((token) => typeof token !== 'string')),
  );
  for (const clause of clauses) {
    yield;
    const who = withClientId(clause, clientId);
    if (who === undefined) continue;
    const found = set.compiledFor(clause.principal);
    const about = (found?.policies.statements ?? []).filter(({ actions }) => actions.has(action));
    const arn = arnOf(set, { action, name });
    if (!about.some((statement) => statement.effect === 'Allow' && canBeAbout(statement, arn))) continue;
    const side: Side = { set, found };
    const { principal } = clause;
    const things = principal.thing === undefined ? [] : [principal.thing];
    const doubts = new Set<string>();
    const budget = { left: granted };
    for (const situation of situationsOf(who, things, rivals, [], interestsOf(about, action))) {
      const form = formOf(action, situation, [side], { name, ...(topic !== undefined && { topic }) });
      const clear = new Set<string>();
      const doubtful = new Set<string>();
      let granted = false;
      for (const example of explore(form.fields, form.unknowns, true, budget)) {
        if (example === undefined) {
          yield;
          continue;
        }
        const request = requestOf(action, situation, form, example);
        if (set.resolve(request.identity)?.principal !== principal) continue;
        const allowed = allowedRequest(side, request, form.opaque, now, doubts);
        if (allowed === undefined) {
          if (example.fresh) clear.add(example.kind);
          else if (!isAsExplored(form, example)) doubtful.add(example.kind);
          continue;
        }
        granted = true;
        const decision = answer(side, allowed, now);
        const who = patternsOf(situation, example.words, example.passed, clause);
        const key = JSON.stringify([principal.name, who, decision.policy, decision.statement]);
        if (grants.has(key)) continue;
        const { policy = '', statement = '' } = decision;
        grants.set(key, { principal: principal.name, who, request: allowed, policy, statement });
      }
      if (granted) continue;
      for (const reason of form.unclear) doubts.add(reason);
      if ([...doubtful].some((kind) => !clear.has(kind))) doubts.add('variables whose values are part of other text');
    }
    if (budget.left < 0) doubts.add(TOO_LARGE);
    if (doubts.size > 0) {
      unclear.set(principal.name, new Set([...(unclear.get(principal.name) ?? []), ...doubts]));
    }
  }
  return {
    grants: [...grants.values()],
    unclear: [...unclear].map(([principal, reasons]) => ({ principal, reasons: [...reasons] })),
  };
}

/** The match and, where a client ID is asked about, that one; nothing where they do not go together. */
function withClientId(clause: AnyClause, clientId: string | undefined): readonly AnyClause[] | undefined {
  if (clientId === undefined) return [clause];
  const own = clause.tokens.get('clientId');
  if (own !== undefined && !matchTokens(own as readonly PlainToken[], clientId)) return undefined;
  return [clause, { principal: clause.principal, tokens: new Map([['clientId', [clientId]]]) }];
}

/** False where the statement is about another resource, whatever its variables are: most are, and need no exploring. */
function canBeAbout(statement: Statement, arn: string): boolean {
  const open = statement.resources.every(({ variables }) =>
    variables.every(({ key, fallback }) => fallback === undefined && typeof key.resolve(NOBODY) !== 'string'),
  );
  return !open || matchResource(statement, arn, NOBODY) !== FALSE;
}

const NOBODY = new RequestContext({ protocol: 'MQTT' }, () => 0);

/** The request, with facts if need be, where the engine allows it. */
function allowedRequest(
  side: Side,
  request: SampleRequest,
  opaque: Parameters<typeof openStatements>[3],
  now: number,
  doubts: Set<string>,
): SampleRequest | undefined {
  if (answer(side, request, now).effect === 'allow') return request;
  const { set, found } = side;
  const context = contextFor(request, found, now);
  const open = openStatements(found?.policies.statements ?? [], arnOf(set, request), context, opaque);
  if (open.every(({ atoms }) => atoms.length === 0)) return undefined;
  if (possibleAnswers([open])?.every(([allowed]) => allowed === false) === true) return undefined;
  const conditions = open.flatMap((statement) => statement.conditions);
  for (const facts of factsFor(conditions, context)) {
    const asked = withFacts(request, facts);
    if (set.resolve(asked.identity)?.principal !== found?.principal) continue;
    if (answer(side, asked, now).effect === 'allow') return asked;
  }
  const names = new Set(conditions.map(({ operator, key }) => `${operator} on ${key.name}`));
  doubts.add(`conditions: ${[...names].join(', ')}`);
  return undefined;
}
