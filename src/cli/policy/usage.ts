import type { Command } from 'commander';
import type { StatementUse } from '../../policy/usage.js';
import { addServiceAddress, askService, type ServiceAddress } from '../service-address.js';
import { print, printJson } from './folder.js';

interface UsageOptions extends ServiceAddress {
  readonly json?: true;
}

export function addUsageCommand(policy: Command): void {
  addServiceAddress(policy.command('usage'))
    .description('say how often each statement has decided in a running service, those that never did first')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
It is what one replica has counted since it started, or since the statement came: ask each. A statement that decides
nothing may still be needed, by whom has not been there yet, and a Deny that never applied has perhaps done its work.`,
    )
    .action(usage);
}

async function usage({ json, ...service }: UsageOptions, command: Command): Promise<void> {
  let uses: readonly StatementUse[];
  try {
    uses = (await askService('/policy/usage', service)) as readonly StatementUse[];
  } catch (error) {
    return command.error(`error: ${(error as Error).message}`);
  }
  if (json === true) printJson(uses);
  else for (const use of uses) print(describe(use));
}

function describe({ policy, statement, effect, decisions, last, since }: StatementUse): string {
  const when = (moment: number): string => new Date(moment).toISOString().slice(0, 19) + 'Z';
  const told = last === undefined ? `never, since ${when(since)}` : `last ${when(last)}, since ${when(since)}`;
  return `${String(decisions).padStart(9)}  ${effect.padEnd(5)}  ${policy}/${statement}  ${told}`;
}
