import { Option, type Command } from 'commander';
import { readFileSync } from 'node:fs';
import type { StatementUse } from '../../policy/usage.js';
import { print, printJson } from './folder.js';

interface UsageOptions {
  readonly url: string;
  readonly token?: string;
  readonly json?: true;
}

export function addUsageCommand(policy: Command): void {
  policy
    .command('usage')
    .description('say how often each statement has decided in a running service, those that never did first')
    .addOption(
      new Option('--url <url>', 'where the service serves its metrics (telemetry.port)')
        .env('TIGHTBEAM_TAIL_URL')
        .default('http://127.0.0.1:9464'),
    )
    .addOption(
      new Option(
        '--token <token>',
        'bearer token, where the service asks for one; else that in the file TIGHTBEAM_TAIL_TOKEN_FILE',
      ).env('TIGHTBEAM_TAIL_TOKEN'),
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
It is what one replica has counted since it started, or since the statement came: ask each. A statement that decides
nothing may still be needed, by whom has not been there yet, and a Deny that never applied has perhaps done its work.`,
    )
    .action(usage);
}

async function usage({ url, token, json }: UsageOptions, command: Command): Promise<void> {
  const file = process.env['TIGHTBEAM_TAIL_TOKEN_FILE'] ?? '';
  const shown = token ?? (file === '' ? undefined : readFileSync(file, 'utf8').trim());
  const asked = new URL('/policy/usage', url);
  let response: Response;
  try {
    response = await fetch(asked, shown === undefined ? {} : { headers: { authorization: `Bearer ${shown}` } });
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    return command.error(
      `error: no service answers at ${asked.origin}: ${cause instanceof Error ? cause.message : String(error)}`,
    );
  }
  if (!response.ok)
    command.error(`error: ${asked.origin} answers ${response.status}: ${(await response.text()).trim()}`);
  const uses = (await response.json()) as readonly StatementUse[];
  if (json === true) printJson(uses);
  else for (const use of uses) print(describe(use));
}

function describe({ policy, statement, effect, decisions, last, since }: StatementUse): string {
  const when = (moment: number): string => new Date(moment).toISOString().slice(0, 19) + 'Z';
  const told = last === undefined ? `never, since ${when(since)}` : `last ${when(last)}, since ${when(since)}`;
  return `${String(decisions).padStart(9)}  ${effect.padEnd(5)}  ${policy}/${statement}  ${told}`;
}
