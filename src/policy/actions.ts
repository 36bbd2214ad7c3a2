import { nearest } from '../nearest.js';
import type { Action } from './authorizer.js';
import { matchTokens, parsePattern, type PlainToken } from './matching/pattern.js';

/** A kind of resource: the word before the slash of its ARN. */
export type ResourceType = 'client' | 'topic' | 'topicfilter';
export const RESOURCE_TYPES: readonly ResourceType[] = ['client', 'topic', 'topicfilter'];

/**
 * Every action with the kind of its resource: AWS IoT's first, then Tightbeam's own. `any` is a resource of whichever kind,
 * or `*` for all of them; none where there is no resource, only `*`.
 */
export const ACTIONS = {
  'iot:Connect': 'client',
  'iot:Publish': 'topic',
  'iot:RetainPublish': 'topic',
  'iot:Subscribe': 'topicfilter',
  'iot:Receive': 'topic',
  'iot:SendDirectMessage': 'client',
  'iot:GetConnection': 'client',
  'iot:DeleteConnection': 'client',
  'iot:ListSubscriptions': 'client',
  'iot:GetRetainedMessage': 'topic',
  'iot:ListRetainedMessages': undefined,
  'tightbeam:DescribeDevice': 'client',
  // A list is of all devices: one that left out what may not be described would tell by its pages how many those are.
  'tightbeam:ListDevices': undefined,
  'tightbeam:ExplainPolicy': 'any',
  'tightbeam:ViewEvents': 'any',
  'tightbeam:ViewStatus': undefined,
} as const satisfies Record<Action, ResourceType | 'any' | undefined>;

export const ACTION_NAMES = Object.keys(ACTIONS) as readonly Action[];

/** Something for each action; `type` is what its resources begin with: `topic/` and the like, nothing without one kind. */
export function mapActions<T>(make: (action: Action, type: string) => T): Readonly<Record<Action, T>> {
  return Object.fromEntries(ACTION_NAMES.map((action) => [action, make(action, typeOf(action) ?? '')])) as Record<
    Action,
    T
  >;
}

/**
 * What the resources of the action begin with, behind the prefix of the ARN: `topic/` and the like, nothing where they are of
 * any kind. Undefined where there is no resource, only `*`.
 */
export function typeOf(action: Action): string | undefined {
  const kind = ACTIONS[action];
  if (kind === undefined) return undefined;
  return kind === 'any' ? '' : `${kind}/`;
}

/** Whether the text is a resource, without the prefix of its ARN, that the action can be about. */
export function isResourceOf(action: Action, text: string): boolean {
  const kind = ACTIONS[action];
  const isOf = (type: ResourceType): boolean => text.startsWith(`${type}/`) && text.length > type.length + 1;
  if (kind === undefined) return text === '*';
  return kind === 'any' ? text === '*' || RESOURCE_TYPES.some(isOf) : isOf(kind);
}

/** What the action is about, in words. */
export function resourcesOf(action: Action): string {
  const kind = ACTIONS[action];
  if (kind === undefined) return '* alone';
  if (kind !== 'any') return `${kind}/ resources`;
  return `${RESOURCE_TYPES.map((type) => `${type}/`).join(', ')} resources and *`;
}

const ACTION_SYNTAX = /^(?:\*|[A-Za-z0-9-]+:[A-Za-z0-9*?]+)$/;

/** True where the text is an action of some AWS service, with or without wildcards, or `*`. */
export function isActionPattern(text: string): boolean {
  return ACTION_SYNTAX.test(text);
}

/** The actions decided here that the pattern names; case does not matter (IAM, "Action element"). */
export function actionsOf(pattern: string): readonly Action[] {
  const { tokens } = parsePattern(pattern.toLowerCase(), { wildcards: true, variables: false });
  return ACTION_NAMES.filter((action) => matchTokens(tokens as readonly PlainToken[], action.toLowerCase()));
}

/** The action that was probably meant by a name that is none. */
export function actionMeant(name: string): Action | undefined {
  return nearest(name, ACTION_NAMES);
}

/** The action of that name, whatever its case. */
export function actionNamed(name: string): Action | undefined {
  return ACTION_NAMES.find((action) => action.toLowerCase() === name.toLowerCase());
}
