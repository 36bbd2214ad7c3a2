import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Command } from 'commander';
import { InvalidArgumentError, Option } from 'commander';
import type { Identity } from '../identity/identity.js';
import { ACTIONS, ACTION_NAMES, actionMeant, actionNamed } from '../policy/actions.js';
import type { Action } from '../policy/authorizer.js';
import type { ReceiveOnSubscribe, SubscribeRules } from '../policy/decision.js';
import { explain, type Explanation } from '../policy/explain.js';
import { contextOf, parsePolicyTests, runPolicyTests, type PolicyTestResult } from '../policy/policy-tests.js';
import { loadPolicySet, type CompiledPrincipal, type PolicySet } from '../policy/policy-set.js';
import { formatProblem, PolicyLoadError, Reporter, type Problem } from '../policy/problems.js';

interface FolderOptions {
  readonly policies: string;
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
  readonly json?: boolean;
}

interface SubscribeOptions extends FolderOptions {
  readonly receiveOnSubscribe: ReceiveOnSubscribe;
  readonly awsHash?: boolean;
}

interface ExplainOptions extends SubscribeOptions {
  readonly principal: string;
  readonly action: Action;
  readonly resource: string;
  readonly context: Readonly<Record<string, string[]>>;
}

/** Adds `policy check`, `policy explain` and `policy test`. They set the exit code to 1 where something is wrong. */
export function addPolicyCommands(program: Command): void {
  const policy = program.command('policy').description('check, explain and test policies');
  folderOptions(policy.command('check'))
    .description('report every error of a policy folder at once; warnings do not fail')
    .action(check);
  subscribeOptions(folderOptions(policy.command('explain')))
    .description('decide one request, and say for each statement why it did or did not match')
    .requiredOption('--principal <name>', 'principal of principals.json, or a username that stands for one')
    .requiredOption('--action <action>', 'iot:Connect, iot:SendDirectMessage, ...', parseAction)
    .requiredOption('--resource <resource>', 'client/lock-17, topic/a/b, topicfilter/a/#, or the whole ARN')
    .option('--context <key=value>', 'value of a context key, repeatable: iot:ClientId=lock-17', collectContext, {})
    .action(explainRequest);
  subscribeOptions(folderOptions(policy.command('test')))
    .description('compare decisions with a table of expected ones')
    .argument('<file...>', 'tables of tests, JSON')
    .action(testPolicies);
}

function folderOptions(command: Command): Command {
  return command
    .option('--policies <folder>', 'folder of the policies and principals.json', 'policies')
    .option('--partition <name>', 'partition of the ARNs', 'aws')
    .option('--region <name>', 'region of the ARNs', 'us-east-1')
    .option('--account-id <digits>', 'account of the ARNs', '000000000000')
    .option('--json', 'print JSON');
}

function subscribeOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--receive-on-subscribe <rule>', 'which topics of a filter iot:Receive must allow')
        .choices(['every', 'some', 'off'])
        .default('every'),
    )
    .option('--aws-hash', 'let a/# not match a, as in AWS IoT Core');
}

async function check(options: FolderOptions): Promise<void> {
  const { problems } = await load(options);
  const failed = problems.some(({ severity }) => severity === 'error');
  if (failed) process.exitCode = 1;
  if (options.json === true) {
    printJson({ ok: !failed, problems });
    return;
  }
  for (const problem of problems) print(formatProblem(problem));
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  print(`${errors} errors, ${problems.length - errors} warnings`);
}

async function explainRequest(options: ExplainOptions, command: Command): Promise<void> {
  const set = await loadOrPrint(options);
  if (set === undefined) return;
  const { action, context } = options;
  const { identity, principal } = identify(set, options.principal, context);
  const resource = options.resource.replace(set.arnPrefix, '');
  if (ACTIONS[action] !== undefined && !/^(?:client|topic|topicfilter)\//.test(resource)) {
    command.error(
      `error: expected client/..., topic/... or topicfilter/..., or that after ${set.arnPrefix}, as --resource, found ${options.resource}`,
    );
  }
  const question = { identity, principal, action, resource, facts: { overrides: contextOf(context) } };
  const explanation = explain(set, question, rulesOf(options));
  if (options.json === true) printJson(explanation);
  else printExplanation(explanation);
}

async function testPolicies(files: readonly string[], options: SubscribeOptions): Promise<void> {
  const set = await loadOrPrint(options);
  if (set === undefined) return;
  const problems: Problem[] = [];
  const results: PolicyTestResult[] = [];
  for (const file of files) {
    const report = new Reporter(problems, basename(file));
    const text = await readFile(file, 'utf8').catch((error: unknown) => {
      report.error(`cannot be read: ${(error as Error).message}`);
    });
    if (text === undefined) continue;
    const tests = parsePolicyTests(text, report);
    results.push(...runPolicyTests(set, tests, rulesOf(options)));
  }
  const failures = results.filter(({ passed }) => !passed);
  if (problems.length > 0 || failures.length > 0) process.exitCode = 1;
  if (options.json === true) {
    printJson({ problems, results });
    return;
  }
  for (const problem of problems) print(formatProblem(problem));
  for (const { test, explanation } of failures) {
    print(`FAILED ${test.name}`);
    print(`  expected ${JSON.stringify(test.expect)}`);
    printExplanation(explanation, '  ');
  }
  print(`${results.length - failures.length} of ${results.length} passed`);
}

/** The problems of the folder, with the set where there are no errors. */
async function load(options: FolderOptions): Promise<{ problems: readonly Problem[]; set?: PolicySet }> {
  try {
    const set = await loadPolicySet(options.policies, options);
    return { problems: set.problems, set };
  } catch (error) {
    if (error instanceof PolicyLoadError) return { problems: error.problems };
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    const message = `cannot be read: ${error.message}`;
    return { problems: [{ severity: 'error', file: options.policies, path: '$', message }] };
  }
}

async function loadOrPrint(options: FolderOptions): Promise<PolicySet | undefined> {
  const { problems, set } = await load(options);
  if (set !== undefined) return set;
  process.exitCode = 1;
  if (options.json === true) printJson({ problems });
  else for (const problem of problems) print(formatProblem(problem));
  return undefined;
}

function rulesOf({ receiveOnSubscribe, awsHash }: SubscribeOptions): SubscribeRules {
  return { receiveOnSubscribe, hashMatchesParent: awsHash !== true };
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

function parseAction(text: string): Action {
  const action = actionNamed(text);
  if (action === undefined) {
    const meant = actionMeant(text);
    throw new InvalidArgumentError(
      meant === undefined ? `Expected one of ${ACTION_NAMES.join(', ')}.` : `Is ${meant} meant?`,
    );
  }
  return action;
}

function collectContext(text: string, before: Record<string, string[]>): Record<string, string[]> {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new InvalidArgumentError('Expected key=value.');
  const key = text.slice(0, equals);
  return { ...before, [key]: [...(before[key] ?? []), text.slice(equals + 1)] };
}

function printExplanation({ decision, statements }: Explanation, indent = ''): void {
  const { effect, cause, action, resource, principalId, policy, statement, errors } = decision;
  print(`${indent}${effect} (${cause}) ${action} on ${resource} for ${principalId ?? 'nobody'}`);
  if (policy !== undefined) print(`${indent}decided by ${policy}/${statement ?? ''}`);
  for (const error of errors) print(`${indent}error: ${error}`);
  for (const { policy: name, statement: id, effect: kind, matched, because } of statements) {
    const reasons = because.length === 0 ? '' : `: ${because.join('; ')}`;
    print(`${indent}  ${name}/${id} (${kind}) ${MATCHED[matched]}${reasons}`);
  }
}

const MATCHED = { yes: 'matches', no: 'does not match', unknown: 'cannot be evaluated' } as const;

function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
