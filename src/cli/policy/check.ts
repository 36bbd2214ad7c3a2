import type { Command } from 'commander';
import { formatProblem } from '../../policy/reading/problems.js';
import type { PolicySet } from '../../policy/policy-set.js';
import { UsedBy, type Unused } from '../../policy/questions/used.js';
import type { Statement } from '../../policy/reading/document.js';
import { folderOptions, load, print, printJson, type FolderOptions } from './folder.js';
import { linesOf } from './log-lines.js';

interface CheckOptions extends FolderOptions {
  readonly usedBy?: string;
}

export function addCheckCommand(policy: Command): void {
  folderOptions(policy.command('check'))
    .description('report every error of a policy folder at once; warnings do not fail')
    .option(
      '--used-by <log>',
      'list the statements that decided nothing in this log of the service; - is standard input',
    )
    .action(check);
}

async function check(options: CheckOptions, command: Command): Promise<void> {
  const { problems, found } = await load(options);
  const failed = problems.some(({ severity }) => severity === 'error');
  if (failed) process.exitCode = 1;
  if (options.json === true) {
    const unused =
      found && options.usedBy !== undefined ? await unusedIn(options.usedBy, found.set, command) : undefined;
    printJson({ ok: !failed, problems, ...(unused && named(unused)) });
    return;
  }
  for (const problem of problems) print(formatProblem(problem));
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  print(`${errors} errors, ${problems.length - errors} warnings`);
  if (found === undefined || options.usedBy === undefined) return;
  const { unused, unknown } = named(await unusedIn(options.usedBy, found.set, command));
  for (const name of unused) print(`decided nothing: ${name}`);
  for (const name of unknown) print(`not told by the log, see \`tightbeam policy usage\`: ${name}`);
  print(`${unused.length} statements decided nothing`);
}

async function unusedIn(log: string, set: PolicySet, command: Command): Promise<Unused> {
  const used = new UsedBy();
  for await (const line of linesOf(log, command)) used.add(line);
  return used.of(set);
}

function named({ unused, unknown }: Unused): { readonly unused: string[]; readonly unknown: string[] } {
  const name = ({ policy, id }: Statement) => `${policy}/${id}`;
  return { unused: unused.map(name), unknown: unknown.map(name) };
}
