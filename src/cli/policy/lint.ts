import type { Command } from 'commander';
import { lintStrictly } from '../../policy/questions/strict-lint.js';
import { formatProblem } from '../../policy/reading/problems.js';
import { folderOptions, loadOrPrint, print, printJson, type FolderOptions } from './folder.js';

interface LintOptions extends FolderOptions {
  readonly strict?: boolean;
}

export function addLintCommand(policy: Command): void {
  folderOptions(policy.command('lint'))
    .description(
      'what is doubtful about policies, beside what check says: statements that change nothing, wide patterns',
    )
    .option('--strict', 'exit code 1 where there is anything to say')
    .action(lint);
}

async function lint(options: LintOptions): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  const problems = [...found.set.problems, ...lintStrictly(found.set)];
  if (options.strict === true && problems.length > 0) process.exitCode = 1;
  if (options.json === true) printJson({ problems });
  else for (const problem of problems) print(formatProblem(problem));
}
