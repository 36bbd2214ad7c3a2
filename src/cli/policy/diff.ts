import type { Command } from 'commander';
import { Option } from 'commander';
import { ConfigError } from '../../config/load.js';
import { diffPolicies, type PolicyDiff } from '../../policy/questions/diff.js';
import { PolicyLoadError, type Problem } from '../../policy/reading/problems.js';
import { finish } from '../../policy/work.js';
import { folderOptions, print, printJson, printProblems, settingsOf, type FolderOptions } from './folder.js';
import { loadRevision } from './revision.js';
import { causeOf, describeRequest, TITLES, toLines } from '../../policy/questions/diff-lines.js';
import { requestToJson } from '../../policy/questions/requests.js';

type Format = 'text' | 'markdown' | 'json';

interface DiffCommandOptions extends FolderOptions {
  readonly format: Format;
  readonly failOnNewAccess?: boolean;
}

export function addDiffCommand(policy: Command): void {
  folderOptions(policy.command('diff'))
    .description('what changes in meaning from one policy folder to another, each change proved by a request')
    .argument('<old>', 'folder, or revision of git in which the folder of the policies is looked up')
    .argument('[new]', 'the same (default: the folder of the policies as it is)')
    .addOption(new Option('--format <format>', 'how to print').choices(['text', 'markdown', 'json']).default('text'))
    .option('--fail-on-new-access', 'exit code 3 where something is newly allowed, or that could not be ruled out')
    .addHelpText('after', '\nExit codes: 0, 1 where policies cannot be read, 3 as --fail-on-new-access says.')
    .action(diff);
}

async function diff(old: string, recent: string | undefined, options: DiffCommandOptions): Promise<void> {
  const format = options.json === true ? 'json' : options.format;
  let found: PolicyDiff;
  try {
    const { folder, scope } = settingsOf(options);
    const before = await loadRevision(old, folder, scope);
    found = finish(diffPolicies(before, await loadRevision(recent ?? folder, folder, scope)));
  } catch (error) {
    if (!(error instanceof PolicyLoadError) && !(error instanceof ConfigError)) throw error;
    printProblems(problemsOf(error, options), options);
    return;
  }
  if (format === 'json') printJson(toJson(found));
  else print(format === 'markdown' ? toMarkdown(found) : toLines(found).join('\n'));
  const grants = found.changes.some(({ effect }) => effect === 'allow');
  if (options.failOnNewAccess === true && (grants || found.unclear.length > 0)) process.exitCode = 3;
}

function problemsOf(error: PolicyLoadError | ConfigError, { config }: FolderOptions): readonly Problem[] {
  if (error instanceof PolicyLoadError) return error.problems;
  return error.problems.map((message) => ({ severity: 'error', file: config ?? 'environment', path: '$', message }));
}

function toJson({ changes, unclear, compared }: PolicyDiff): object {
  return {
    same: changes.length === 0 && unclear.length === 0,
    changes: changes.map((change) => ({ ...change, request: requestToJson(change.request) })),
    unclear,
    compared,
  };
}

/** For a pull request: a table for each direction, with the request that proves each row. */
function toMarkdown({ changes, unclear }: PolicyDiff): string {
  const parts = ['## Policies'];
  if (changes.length === 0 && unclear.length === 0) parts.push('No change in meaning.');
  for (const effect of ['allow', 'deny'] as const) {
    const rows = changes
      .filter((change) => change.effect === effect)
      .map((change) => [
        change.principal,
        change.action,
        code(describeRequest(change.request)),
        causeOf(change.before),
        causeOf(change.after),
      ]);
    if (rows.length === 0) continue;
    const title = TITLES[effect];
    parts.push(`### ${title.charAt(0).toUpperCase()}${title.slice(1)}`);
    parts.push(table([['principal', 'action', 'for instance', 'before', 'after'], ...rows]));
  }
  if (unclear.length > 0) {
    parts.push('### Not made out');
    const rows = unclear.map(({ principal, action, reasons }) => [principal, action, reasons.join('; ')]);
    parts.push(table([['principal', 'action', 'because of'], ...rows]));
  }
  return parts.join('\n\n');
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|').replaceAll('`', "'")}\``;
}

function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...body] = rows.map((row) => `| ${row.join(' | ')} |`);
  return [head, `|${' --- |'.repeat(rows[0]?.length ?? 0)}`, ...body].join('\n');
}
