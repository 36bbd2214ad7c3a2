import { nearest } from '../nearest.js';
import type { Action } from './authorizer.js';
import { matchTokens, parsePattern, type PlainToken } from './matching/pattern.js';

/** The kind of resource that an action is about: the word before the slash of its ARN. */
export type ResourceType = 'client' | 'topic' | 'topicfilter';

/** Every action with the kind of its resource; none where AWS IoT has no resource for it, only `*`. */
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
} as const satisfies Record<Action, ResourceType | undefined>;

export const ACTION_NAMES = Object.keys(ACTIONS) as readonly Action[];

/** Something for each action; `type` is what its resources begin with: `topic/` and the like, nothing without resource. */
export function mapActions<T>(make: (action: Action, type: string) => T): Readonly<Record<Action, T>> {
  const entries = ACTION_NAMES.map((action) => {
    const kind = ACTIONS[action];
    return [action, make(action, kind === undefined ? '' : `${kind}/`)];
  });
  return Object.fromEntries(entries) as Record<Action, T>;
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
