/** What every `policy` command needs: the folder, its account, and the set that they make. */
import type { Command } from 'commander';
import { Option } from 'commander';
import { ConfigError, loadConfig } from '../../config/load.js';
import type { ArnScope } from '../../policy/deciding/compile.js';
import type { ReceiveOnSubscribe, SubscribeRules } from '../../policy/deciding/decision.js';
import { loadPolicySet, type PolicySet } from '../../policy/policy-set.js';
import { formatProblem, PolicyLoadError, type Problem } from '../../policy/reading/problems.js';

export interface FolderOptions extends Partial<ArnScope> {
  readonly config?: string;
  readonly policies?: string;
  readonly json?: boolean;
}

export interface SubscribeOptions extends FolderOptions {
  readonly receiveOnSubscribe?: ReceiveOnSubscribe;
  readonly awsHash?: boolean;
}

export function folderOptions(command: Command): Command {
  return command
    .option('--config <file>', 'settings of the service, YAML or JSON; its environment variables count too')
    .option('--policies <folder>', 'folder of the policies and principals.json (default: as the service)')
    .option('--partition <name>', 'partition of the ARNs (default: as the service)')
    .option('--region <name>', 'region of the ARNs (default: as the service)')
    .option('--account-id <digits>', 'account of the ARNs (default: as the service)')
    .option('--json', 'print JSON');
}

export function subscribeOptions(command: Command): Command {
  return folderOptions(command)
    .addOption(
      new Option(
        '--receive-on-subscribe <rule>',
        'which topics of a filter iot:Receive must allow (default: as the service)',
      ).choices(['every', 'some', 'off']),
    )
    .option('--aws-hash', 'let a/# not match a, as in AWS IoT Core');
}

/** What configuration, environment and options say about policies, each overriding what is before it. */
export interface PolicySettings {
  readonly folder: string;
  readonly scope: ArnScope;
  readonly rules: SubscribeRules;
}

export interface PolicyFolder extends PolicySettings {
  readonly set: PolicySet;
}

/** @throws ConfigError where the service would not start with this configuration either */
export function settingsOf(options: SubscribeOptions): PolicySettings {
  const { policies, aws, authorization } = loadConfig(options.config);
  const { partition = aws.partition, region = aws.region, accountId = aws.accountId } = options;
  return {
    folder: options.policies ?? policies,
    scope: { partition, region, accountId },
    rules: {
      receiveOnSubscribe: options.receiveOnSubscribe ?? authorization.receiveOnSubscribe,
      hashMatchesParent: options.awsHash === true ? false : authorization.hashMatchesParent,
    },
  };
}

/** The problems of the configuration or of the folder; with the policies where there are no errors. */
export async function load(
  options: SubscribeOptions,
): Promise<{ readonly problems: readonly Problem[]; readonly found?: PolicyFolder }> {
  let settings: PolicySettings | undefined;
  try {
    settings = settingsOf(options);
    const set = await loadPolicySet(settings.folder, settings.scope);
    return { problems: set.problems, found: { ...settings, set } };
  } catch (error) {
    if (error instanceof PolicyLoadError) return { problems: error.problems };
    if (error instanceof ConfigError) {
      const file = options.config ?? 'environment';
      return { problems: error.problems.map((message) => ({ severity: 'error', file, path: '$', message })) };
    }
    if (settings === undefined || !(error instanceof Error && 'syscall' in error)) throw error;
    const message = `cannot be read: ${error.message}`;
    return { problems: [{ severity: 'error', file: settings.folder, path: '$', message }] };
  }
}

/** The policies; where there are none the problems are printed, and the exit code is 1. */
export async function loadOrPrint(options: SubscribeOptions): Promise<PolicyFolder | undefined> {
  const { problems, found } = await load(options);
  if (found === undefined) printProblems(problems, options);
  return found;
}

/** Prints why there is nothing to work on, and sets the exit code to 1. */
export function printProblems(problems: readonly Problem[], { json }: FolderOptions): void {
  process.exitCode = 1;
  if (json === true) printJson({ problems });
  else for (const problem of problems) print(formatProblem(problem));
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
