import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import { ACTION_NAMES, actionMeant, actionNamed, isResourceOf, resourcesOf, typeOf } from '../../policy/actions.js';
import type { Action } from '../../policy/authorizer.js';
import type { PolicySet } from '../../policy/policy-set.js';

/** An action of the command line; a misspelt one is told with the one that was probably meant. */
export function parseAction(text: string): Action {
  const action = actionNamed(text);
  if (action !== undefined) return action;
  const meant = actionMeant(text);
  throw new InvalidArgumentError(
    meant === undefined ? `Expected one of ${ACTION_NAMES.join(', ')}.` : `Is ${meant} meant?`,
  );
}

/** The resource without the ARN's prefix; one that no action has ends the command. */
export function resourceWithoutPrefix(set: PolicySet, action: Action, text: string, command: Command): string {
  const resource = text.replace(set.arnPrefix, '');
  if (typeOf(action) !== undefined && resource !== '*' && !/^(?:client|topic|topicfilter)\//.test(resource)) {
    command.error(
      `error: expected client/..., topic/... or topicfilter/..., or that after ${set.arnPrefix}, as --resource, found ${text}`,
    );
  }
  return resource;
}

/** The name of a resource of the action's own kind; any other kind ends the command. */
export function nameOfResource(set: PolicySet, action: Action, text: string, command: Command): string {
  const type = typeOf(action);
  if (type === undefined) return '*';
  const resource = resourceWithoutPrefix(set, action, text, command);
  if (!isResourceOf(action, resource)) {
    command.error(`error: ${action} is about ${resourcesOf(action)}, found ${text}`);
  }
  return resource.slice(type.length);
}
