import type { Command } from 'commander';
import { formatProblem } from '../../policy/reading/problems.js';
import { folderOptions, load, print, printJson, type FolderOptions } from './folder.js';

export function addCheckCommand(policy: Command): void {
  folderOptions(policy.command('check'))
    .description('report every error of a policy folder at once; warnings do not fail')
    .action(check);
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
