/** What every `policy` command needs: the folder, its account, and the set that they make. */
import type { Command } from 'commander';
import { Option } from 'commander';
import type { ReceiveOnSubscribe, SubscribeRules } from '../../policy/deciding/decision.js';
import { loadPolicySet, type PolicySet } from '../../policy/policy-set.js';
import { formatProblem, PolicyLoadError, type Problem } from '../../policy/reading/problems.js';

export interface FolderOptions {
  readonly policies: string;
  readonly partition: string;
  readonly region: string;
  readonly accountId: string;
  readonly json?: boolean;
}

export interface SubscribeOptions extends FolderOptions {
  readonly receiveOnSubscribe: ReceiveOnSubscribe;
  readonly awsHash?: boolean;
}

export function folderOptions(command: Command): Command {
  return command
    .option('--policies <folder>', 'folder of the policies and principals.json', 'policies')
    .option('--partition <name>', 'partition of the ARNs', 'aws')
    .option('--region <name>', 'region of the ARNs', 'us-east-1')
    .option('--account-id <digits>', 'account of the ARNs', '000000000000')
    .option('--json', 'print JSON');
}

export function subscribeOptions(command: Command): Command {
  return folderOptions(command)
    .addOption(
      new Option('--receive-on-subscribe <rule>', 'which topics of a filter iot:Receive must allow')
        .choices(['every', 'some', 'off'])
        .default('every'),
    )
    .option('--aws-hash', 'let a/# not match a, as in AWS IoT Core');
}

export function rulesOf({ receiveOnSubscribe, awsHash }: SubscribeOptions): SubscribeRules {
  return { receiveOnSubscribe, hashMatchesParent: awsHash !== true };
}

/** The problems of the folder, with the set where there are no errors. */
export async function load(options: FolderOptions): Promise<{ problems: readonly Problem[]; set?: PolicySet }> {
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

/** The set; where there is none the problems are printed, and the exit code is 1. */
export async function loadOrPrint(options: FolderOptions): Promise<PolicySet | undefined> {
  const { problems, set } = await load(options);
  if (set !== undefined) return set;
  process.exitCode = 1;
  if (options.json === true) printJson({ problems });
  else for (const problem of problems) print(formatProblem(problem));
  return undefined;
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
