import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Identity } from '../../identity/identity.js';
import type { Action } from '../../policy/authorizer.js';
import type { CompiledPrincipal, PolicySet } from '../../policy/policy-set.js';
import { explain } from '../../policy/questions/explain.js';
import { contextOf } from '../../policy/questions/policy-tests.js';
import { printExplanation } from './explanation.js';
import { loadOrPrint, printJson, subscribeOptions, type SubscribeOptions } from './folder.js';
import { parseAction, resourceWithoutPrefix } from './resource.js';

interface ExplainOptions extends SubscribeOptions {
  readonly principal: string;
  readonly action: Action;
  readonly resource: string;
  readonly context: Readonly<Record<string, string[]>>;
}

export function addExplainCommand(policy: Command): void {
  subscribeOptions(policy.command('explain'))
    .description('decide one request, and say for each statement why it did or did not match')
    .requiredOption('--principal <name>', 'principal of principals.json, or a username that stands for one')
    .requiredOption('--action <action>', 'iot:Connect, iot:SendDirectMessage, ...', parseAction)
    .requiredOption('--resource <resource>', 'client/lock-17, topic/a/b, topicfilter/a/#, or the whole ARN')
    .option('--context <key=value>', 'value of a context key, repeatable: iot:ClientId=lock-17', collectContext, {})
    .action(explainRequest);
}

async function explainRequest(options: ExplainOptions, command: Command): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  const { set, rules } = found;
  const { action, context } = options;
  const { identity, principal } = identify(set, options.principal, context);
  const resource = resourceWithoutPrefix(set, action, options.resource, command);
  const question = { identity, principal, action, resource, facts: { overrides: contextOf(context) } };
  const explanation = explain(set, question, rules);
  if (options.json === true) printJson(explanation);
  else printExplanation(explanation);
}

/** A name of principals.json, with the facts of `--context`; any other name is a username, and its client ID too. */
function identify(
  set: PolicySet,
  name: string,
  context: ExplainOptions['context'],
): { identity: Identity; principal: CompiledPrincipal | undefined } {
  const fact = (key: string): string | undefined =>
    Object.entries(context).find(([given]) => given.toLowerCase() === key.toLowerCase())?.[1][0];
  const declared = set.principal(name);
  const username = fact('aws:username') ?? (declared === undefined ? name : undefined);
  const clientId = fact('iot:ClientId') ?? username;
  const commonName = fact('iot:Certificate.Subject.CommonName');
  const identity: Identity = {
    protocol: 'MQTT',
    ...(username !== undefined && { username }),
    ...(clientId !== undefined && { clientId }),
    ...(commonName !== undefined && { certificate: { commonName } }),
  };
  return { identity, principal: declared ?? set.resolve(identity) };
}

function collectContext(text: string, before: Record<string, string[]>): Record<string, string[]> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('Expected key=value.');
  const key = text.slice(0, equals);
  return { ...before, [key]: [...(before[key] ?? []), text.slice(equals + 1)] };
}
