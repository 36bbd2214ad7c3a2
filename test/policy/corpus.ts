/**
 * The conformance corpus: requests, policies and what becomes of them by the documentation of AWS. The cases are data, so
 * that every door to the engine can be asked the same questions: load them here, ask, and compare with `expected`.
 */
import { expect } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import type { Identity } from '../../src/identity/identity.js';
import type { Action, Decision } from '../../src/policy/authorizer.js';
import type { ExtraFacts } from '../../src/policy/conditions/context.js';
import { PolicyAuthorizer, type PolicyAuthorizerOptions } from '../../src/policy/deciding/engine.js';
import { buildPolicySet, type PolicySet } from '../../src/policy/policy-set.js';
import { SCOPE } from './support/set.js';

export interface CorpusCase {
  readonly name: string;
  /** The page of AWS's documentation whose example it is; none for cases of our own. */
  readonly document?: string;
  /** Attached to the one principal in this order. */
  readonly policies: Readonly<Record<string, unknown>>;
  /** The thing of the principal. */
  readonly thing?: {
    readonly name: string;
    readonly type?: string;
    readonly attributes?: Readonly<Record<string, string>>;
    readonly exclusive?: boolean;
  };
  /** What differs from `identityOf`'s defaults. */
  readonly identity?: Partial<Identity>;
  /** The time, ISO 8601; the time of the run where it does not matter. */
  readonly now?: string;
  readonly options?: Omit<PolicyAuthorizerOptions, 'clock'>;
  readonly request: {
    readonly action: Action;
    /** Without its ARN prefix: `topic/a`. */
    readonly resource: string;
    /** For `iot:Publish`: with the RETAIN flag. */
    readonly retain?: boolean;
    /** `iot:Topic`, `iot:ConnectAttributes`, `iot:DomainName`: facts of the request, not of the identity. */
    readonly context?: Readonly<Record<string, string | readonly string[]>>;
  };
  /** The decision. Without `action` and `resource` they are those of the request. */
  readonly expected: Pick<Decision, 'effect' | 'cause' | 'errors'> & Partial<Decision>;
}

const FOLDER = new URL('corpus/', import.meta.url);

/** Every case, by the name of its file without `.json`. */
export function loadCorpus(): ReadonlyMap<string, readonly CorpusCase[]> {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return new Map(
    names.map((name) => [
      name.replace('.json', ''),
      JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as readonly CorpusCase[],
    ]),
  );
}

/** By default an MQTT client `device-1` with the username `subject`; an HTTP caller has neither. */
export function identityOf({ identity }: CorpusCase): Identity {
  if (identity?.protocol === 'HTTP') return { ...identity, protocol: 'HTTP' };
  return { clientId: 'device-1', username: 'subject', ...identity, protocol: 'MQTT' };
}

/** The files of the case: its policies, and the principal `subject`, who has them and the thing. */
export function policySetOf({ policies, thing }: CorpusCase): PolicySet {
  const subject = {
    match: [{ username: 'subject' }, { accessKeyId: 'AKIAIOSFODNN7EXAMPLE' }],
    policies: Object.keys(policies),
    ...(thing === undefined ? {} : { thing }),
  };
  const files = Object.entries(policies).map(([name, policy]) => [`${name}.json`, JSON.stringify(policy)] as const);
  return buildPolicySet({ policies: new Map(files), principals: JSON.stringify({ principals: { subject } }) }, SCOPE);
}

export function authorizerOf(item: CorpusCase): PolicyAuthorizer {
  const set = policySetOf(item);
  const { now, options } = item;
  return new PolicyAuthorizer(() => set, { ...options, ...(now !== undefined && { clock: () => Date.parse(now) }) });
}

/** Asks by the door that a transport would use for the action. */
export function decideCase(authorizer: PolicyAuthorizer, item: CorpusCase): Decision {
  const { action, resource, retain, context } = item.request;
  const identity = identityOf(item);
  const name = nameOf(item);
  const facts = factsOf(context);
  switch (action) {
    case 'iot:Connect':
      return authorizer.connect(identity, facts);
    case 'iot:Publish':
      return authorizer.publish(identity, name, retain === undefined ? {} : { retain });
    case 'iot:Subscribe':
      return authorizer.subscribe(identity, name);
    case 'iot:Receive':
      return authorizer.receiveDirectMessage(identity, name);
    case 'iot:SendDirectMessage':
      return authorizer.sendDirectMessage(identity, name, facts.topic ?? '');
    case 'iot:RetainPublish':
    case 'iot:GetConnection':
    case 'iot:DeleteConnection':
    case 'iot:ListSubscriptions':
    case 'iot:GetRetainedMessage':
    case 'iot:ListRetainedMessages':
    case 'tightbeam:DescribeDevice':
    case 'tightbeam:ListDevices':
    case 'tightbeam:ExplainPolicy':
    case 'tightbeam:ViewEvents':
    case 'tightbeam:ViewStatus':
      return authorizer.decide(identity, action, resource, facts);
  }
}

/** What the case expects, complete but for policy and statement, which only some decisions have. */
export function expectedDecision({ request, expected }: CorpusCase): Partial<Decision> {
  const prefix = `arn:${SCOPE.partition}:iot:${SCOPE.region}:${SCOPE.accountId}:`;
  const { action, resource } = request;
  const ownResource = resource === '*' ? '*' : `${prefix}${resource}`;
  return {
    action,
    // Subscriptions and delayed messages are decided by another name than that of the request.
    ...(resource.includes('/$') || 'action' in expected ? {} : { resource: ownResource }),
    ...expected,
  };
}

/** The decision is the one that the case expects, and names policy and statement only where the case does. */
export function expectDecision(decision: Decision | undefined, item: CorpusCase): void {
  const { policy, statement, ...rest } = decision ?? {};
  expect({ ...rest, policy, statement }).toMatchObject({
    policy: undefined,
    statement: undefined,
    ...expectedDecision(item),
  });
}

/** The cases that a transport can ask, by the name of their file. */
export function casesThat(canBeAsked: (item: CorpusCase) => boolean): [file: string, cases: readonly CorpusCase[]][] {
  const files = [...loadCorpus()].map(([file, cases]): [string, CorpusCase[]] => [file, cases.filter(canBeAsked)]);
  return files.filter(([, cases]) => cases.length > 0);
}

/** At least so many cases of each action are there, so that nobody filters them away unnoticed. */
export function expectCases(
  files: readonly (readonly [file: string, cases: readonly CorpusCase[]])[],
  least: Readonly<Partial<Record<Action, number>>>,
): void {
  const counts = new Map<string, number>();
  for (const { request } of files.flatMap(([, cases]) => cases)) {
    counts.set(request.action, (counts.get(request.action) ?? 0) + 1);
  }
  const tooFew = Object.entries(least).filter(([action, count]) => (counts.get(action) ?? 0) < count);
  expect({ tooFew, counts }).toEqual({ tooFew: [], counts });
}

/** What the request is about by its name alone: of `topic/a/b`, `a/b`. */
export function nameOf({ request: { resource } }: CorpusCase): string {
  return resource.slice(resource.indexOf('/') + 1);
}

/** Whether a policy of the case has this text in it, for instance the name of a condition key, whatever its case. */
export function mentions({ policies }: CorpusCase, text: string): boolean {
  return JSON.stringify(policies).toLowerCase().includes(text.toLowerCase());
}

function factsOf(context: CorpusCase['request']['context'] = {}): ExtraFacts {
  const { 'iot:Topic': topic, 'iot:DomainName': domainName, 'iot:ConnectAttributes': connectAttributes } = context;
  return {
    ...(typeof topic === 'string' && { topic }),
    ...(typeof domainName === 'string' && { domainName }),
    ...(Array.isArray(connectAttributes) && { connectAttributes: connectAttributes as readonly string[] }),
  };
}
