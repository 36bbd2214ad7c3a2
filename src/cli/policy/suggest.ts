import type { Command } from 'commander';
import { recordedDecision } from '../../policy/questions/recorded.js';
import { Suggestions } from '../../policy/questions/suggest.js';
import { folderOptions, loadOrPrint, print, printJson, type FolderOptions } from './folder.js';
import { linesOf } from './log-lines.js';

interface SuggestOptions extends FolderOptions {
  readonly from: string;
  readonly principal?: string;
}

export function addSuggestCommand(policy: Command): void {
  folderOptions(policy.command('suggest'))
    .description('write policies that allow what the log says went on: what was allowed, and what would be denied')
    .requiredOption('--from <log>', 'log of the service, one JSON line an event; - is standard input')
    .option('--principal <name>', 'print the policy of this principal alone')
    .addHelpText(
      'after',
      `
It prints the policies by principal; with --principal the one document, for a file of the policies folder:
  $ tightbeam policy suggest --from tightbeam.log --principal lock > policies/lock.json

A line WouldDeny says what is to be allowed; so do the lines of what was. Nothing is made of what was refused. The log does
not tell of publishes that policies allowed: add the policy to those the principal has, and do not replace them by it.`,
    )
    .action(suggest);
}

async function suggest(options: SuggestOptions, command: Command): Promise<void> {
  const found = await loadOrPrint(options);
  if (found === undefined) return;
  const { set } = found;
  const suggestions = new Suggestions(set.arnPrefix, (name) => set.principal(name)?.principal.thing);
  for await (const line of linesOf(options.from, command)) {
    const recorded = recordedDecision(line, set.arnPrefix);
    if (recorded !== undefined) suggestions.add(recorded);
  }
  const policies = suggestions.policies();
  if (options.principal === undefined) {
    printJson(Object.fromEntries(policies));
    return;
  }
  const document = policies.get(options.principal);
  if (document === undefined) {
    const names = [...policies.keys()].join(', ');
    command.error(
      `error: the log tells of nothing that ${options.principal} did; ${names === '' ? 'it tells of nobody' : `it tells of ${names}`}`,
    );
  }
  print(JSON.stringify(document, null, 2));
}
