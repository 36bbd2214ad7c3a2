import { InvalidArgumentError, type Command } from 'commander';
import { isReason, REASONS, type Reason } from '../reasons.js';
import { explainReason } from '../telemetry/reason-text.js';

function parseReason(text: string): Reason {
  const reason = text.toUpperCase();
  if (isReason(reason)) return reason;
  throw new InvalidArgumentError(`\nReasons: ${Object.keys(REASONS).join(', ')}`);
}

/** `tightbeam logs`: what the log says, explained. */
export function logsCommand(command: Command): void {
  command
    .command('explain')
    .description('Print what a reason means, its likely causes and what to do next')
    .argument('<reason>', 'the `reason` of a log line, for instance CLIENT_NOT_CONNECTED', parseReason)
    .action((reason: Reason) => {
      process.stdout.write(explainReason(reason));
    });
}
