/** What a principal may do, in as few patterns as say it. */
import { ACTION_NAMES, typeOf } from '../actions.js';
import type { Action } from '../authorizer.js';
import { ANY, overlap, type Token } from '../matching/pattern.js';
import { residualsOf } from '../matching/resource.js';
import type { CompiledPrincipal, PolicySet } from '../policy-set.js';
import type { Statement } from '../reading/document.js';
import type { Work } from '../work.js';
import { meansTheSame } from './redundancy.js';

/** Resources of one action that the principal may use. */
export interface Permission {
  readonly action: Action;
  /** As the policy writes it, without the ARN's prefix; of NotResource what is left out. */
  readonly resource: string;
  readonly exceptResource: boolean;
  /** Conditions that must hold, each as `operator key: values`. */
  readonly conditions: readonly string[];
  readonly policy: string;
  readonly statement: string;
}

export interface WhatCan {
  /** Of these none could be left out without taking something away. */
  readonly allowed: readonly Permission[];
  /** What a Deny takes away from them. */
  readonly denied: readonly Permission[];
}

/** A statement of one action and one resource (of NotResource all). */
interface Single {
  readonly action: Action;
  readonly statement: Statement;
}

/**
 * The permissions of a principal. Each pattern that the others take in is left out, the narrowest first, as far as that can be
 * proved: the measure is that no pattern is superfluous.
 */
export function* whatCan(
  set: PolicySet,
  found: CompiledPrincipal,
  actions: readonly Action[] = ACTION_NAMES,
): Work<WhatCan> {
  const allowed: Permission[] = [];
  const denied: Permission[] = [];
  for (const action of actions) {
    const singles = singlesOf(found.policies.statements, action, set);
    const allows = singles.filter(({ statement }) => statement.effect === 'Allow');
    const denies = singles.filter(({ statement }) => statement.effect === 'Deny');
    let kept = allows;
    // Longer patterns tend to be narrower.
    for (const one of allows.toSorted((first, second) => lengthOf(second) - lengthOf(first))) {
      const others = kept.filter((other) => other !== one);
      if (yield* same(set, found, action, [...kept, ...denies], [...others, ...denies])) kept = others;
    }
    const meeting = denies.filter((deny) => kept.some((allow) => canMeet(allow, deny, set)));
    allowed.push(...kept.map((single) => permissionOf(single, set)));
    denied.push(...meeting.map((single) => permissionOf(single, set)));
  }
  return { allowed, denied };
}

function* same(
  set: PolicySet,
  found: CompiledPrincipal,
  action: Action,
  before: readonly Single[],
  after: readonly Single[],
): Work<boolean> {
  const list = (singles: readonly Single[]): readonly Statement[] => singles.map(({ statement }) => statement);
  return yield* meansTheSame(set, found, [action], list(before), list(after));
}

/** Each resource that is one of the action's as a statement of its own. */
function singlesOf(statements: readonly Statement[], action: Action, set: PolicySet): readonly Single[] {
  return statements
    .filter(({ actions }) => actions.has(action))
    .flatMap((statement) => {
      const actions = new Set([action]);
      if (statement.exceptResources) return [{ action, statement: { ...statement, actions } }];
      return statement.resources
        .filter((resource) => residualsOf(resource, beginningOf(action, set))?.length !== 0)
        .map((resource) => ({ action, statement: { ...statement, actions, resources: [resource] } }));
    });
}

function beginningOf(action: Action, set: PolicySet): string {
  const type = typeOf(action);
  return type === undefined ? '*' : `${set.arnPrefix}${type}`;
}

function lengthOf({ statement }: Single): number {
  const resources = statement.resources.map(({ source }) => source.length);
  return statement.conditions.length * 1_000 + Math.max(0, ...resources);
}

function canMeet(allow: Single, deny: Single, set: PolicySet): boolean {
  if (allow.statement.exceptResources || deny.statement.exceptResources) return true;
  const patterns = ({ action, statement }: Single): readonly (readonly Token[])[] =>
    statement.resources.flatMap((resource) => residualsOf(resource, beginningOf(action, set)) ?? [[ANY]]);
  const open = (tokens: readonly Token[]): readonly Token[] =>
    tokens.map((token) => (typeof token === 'object' ? ANY : token));
  return patterns(allow).some((one) => patterns(deny).some((other) => overlap(open(one), open(other))));
}

function permissionOf({ action, statement }: Single, set: PolicySet): Permission {
  const { resources, exceptResources, conditions, policy, id } = statement;
  return {
    action,
    resource: resources.map(({ source }) => source.replace(set.arnPrefix, '')).join(', '),
    exceptResource: exceptResources,
    conditions: conditions.map(({ operator, key, values }) => `${operator} ${key.name}: ${values.join(' or ')}`),
    policy,
    statement: id,
  };
}
