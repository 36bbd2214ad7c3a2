import type { Command } from 'commander';
import { InvalidArgumentError } from 'commander';
import type { Action } from '../../policy/authorizer.js';
import { identify, type Asker } from '../../policy/questions/asker.js';
import { explain } from '../../policy/questions/explain.js';
import { contextOf } from '../../policy/questions/policy-tests.js';
import { recordedDecision, type RecordedDecision } from '../../policy/questions/recorded.js';
import { printExplanation } from './explanation.js';
import { loadOrPrint, print, printJson, subscribeOptions, type PolicyFolder, type SubscribeOptions } from './folder.js';
import { linesOf } from './log-lines.js';
import { parseAction, resourceWithoutPrefix } from './resource.js';

interface ExplainOptions extends SubscribeOptions, Asker {
  readonly action?: Action;
  readonly resource?: string;
  readonly context: Readonly<Record<string, string[]>>;
  readonly logLine?: string;
  readonly trace?: string;
}

export function addExplainCommand(policy: Command): void {
  subscribeOptions(policy.command('explain'))
    .description('decide one request, and say for each statement why it did or did not match, the nearest first')
    .option('--principal <name>', 'principal of principals.json, or a username that stands for one')
    .option('--action <action>', 'iot:Connect, iot:SendDirectMessage, ...', parseAction)
    .option('--resource <resource>', 'client/lock-17, topic/a/b, topicfilter/a/#, or the whole ARN')
    .option('--username <name>', 'MQTT username')
    .option('--client-id <id>', 'MQTT client ID')
    .option('--common-name <name>', 'common name of the client certificate')
    .option('--distinguished-name <name>', 'its whole subject (RFC 4514)')
    .option('--fingerprint <sha256>', 'SHA-256 of the certificate, hexadecimal')
    .option('--jwt-subject <subject>', 'subject of the token')
    .option('--access-key-id <id>', 'access key of the signature')
    .option('--source-ip <address>', 'address of the client')
    .option('--context <key=value>', 'value of a context key, repeatable: iot:ClientId=lock-17', collectContext, {})
    .option('--log-line <log>', 'explain the last decision of this log in place of a request; - is standard input')
    .option('--trace <id>', 'of the log, the decision of this trace')
    .addHelpText(
      'after',
      `
A request, or a decision that was made:
  $ tightbeam policy explain --principal lock-17 --action iot:Publish --resource topic/state/lock-17/door
  $ tightbeam policy explain --username lock-17 --client-id lock-17 --action iot:Connect --resource client/lock-17
  $ grep TRACE tightbeam.log | tightbeam policy explain --log-line -
  $ tightbeam policy explain --log-line tightbeam.log --trace TRACE`,
    )
    .action(explainRequest);
}

async function explainRequest(options: ExplainOptions, command: Command): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  if (options.logLine !== undefined) return explainLine(options.logLine, found, options, command);
  const { set, rules } = found;
  const { action, context } = options;
  if (action === undefined || options.resource === undefined) {
    command.error('error: --action and --resource say what is asked; or --log-line, a decision that was made');
  }
  const asker = identify(set, options);
  if (asker === undefined) command.error('error: --principal, or facts like --username and --client-id, say who asks');
  const resource = resourceWithoutPrefix(set, action, options.resource, command);
  const question = { ...asker, action, resource, facts: { overrides: contextOf(context) } };
  const explanation = explain(set, question, rules);
  if (options.json === true) printJson(explanation);
  else printExplanation(explanation);
}

/** Decides again what a line of the log tells, by the facts that it tells and at its time. */
async function explainLine(
  log: string,
  { set, rules }: PolicyFolder,
  { trace, json }: ExplainOptions,
  command: Command,
): Promise<void> {
  let recorded: RecordedDecision | undefined;
  for await (const line of linesOf(log, command)) {
    const decision = recordedDecision(line, set.arnPrefix);
    if (decision !== undefined && (trace === undefined || decision.traceId === trace)) recorded = decision;
  }
  if (recorded === undefined) {
    command.error(`error: the log tells of no decision${trace === undefined ? '' : ` with the trace ${trace}`}`);
  }
  const { identity, filter, facts, at, policyVersion } = recorded;
  const asked =
    filter === undefined
      ? { action: recorded.action, resource: recorded.resource.replace(set.arnPrefix, '') }
      : { action: 'iot:Subscribe' as const, resource: `topicfilter/${filter}` };
  const question = { identity, principal: set.resolve(identity), ...asked, facts };
  const explanation = explain(set, question, rules, at === undefined ? Date.now : () => at);
  const same = policyVersion === undefined ? undefined : policyVersion === set.version;
  const { effect, cause } = explanation.decision;
  const changed = effect !== recorded.effect || (recorded.cause !== undefined && cause !== recorded.cause);
  if (json === true) {
    printJson({ recorded, samePolicies: same ?? null, changed, ...explanation });
    return;
  }
  const by =
    same === undefined
      ? 'policies it does not name'
      : same
        ? 'these policies'
        : `policies ${policyVersion ?? ''}; these are ${set.version}`;
  print(`recorded: ${recorded.effect}${recorded.cause === undefined ? '' : ` (${recorded.cause})`} by ${by}`);
  if (changed) print(`today it would be other: ${effect} (${cause})`);
  printExplanation(explanation);
}

function collectContext(text: string, before: Record<string, string[]>): Record<string, string[]> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('Expected key=value.');
  const key = text.slice(0, equals);
  return { ...before, [key]: [...(before[key] ?? []), text.slice(equals + 1)] };
}
