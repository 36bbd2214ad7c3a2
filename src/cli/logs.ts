import type { Command } from 'commander';
import { REASONS } from '../reasons.js';
import { explainWord, nearestWord } from '../telemetry/explaining.js';

/** `tightbeam logs`: what the log says, explained. */
export function logsCommand(command: Command): void {
  command
    .command('explain')
    .description('Print what a word of the log or a code of an answer means, its likely causes and what to do next')
    .argument(
      '<word>',
      'a reason (CLIENT_NOT_CONNECTED), a disconnectReason (CONNECTION_LOST), a cause (implicitDeny), an HTTP status (404) or a PUBACK code (0x90)',
    )
    .action((word: string, _options: unknown, explain: Command) => {
      const text = explainWord(word);
      if (text === undefined) {
        const near = nearestWord(word);
        explain.error(
          `error: nothing is called ${word}; ${near === undefined ? `reasons are ${Object.keys(REASONS).join(', ')}` : `did you mean ${near}?`}`,
        );
      }
      process.stdout.write(text);
    });
}
