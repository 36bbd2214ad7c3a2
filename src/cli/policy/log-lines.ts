import type { Command } from 'commander';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * The lines of a log, one after the other: it may be larger than memory. Ends the command where it cannot be read.
 * @param file `-` is standard input
 */
export async function* linesOf(file: string, command: Command): AsyncGenerator<string> {
  const input = file === '-' ? process.stdin : createReadStream(file);
  // Readline alone does not tell of it.
  input.once('error', (error: Error) => {
    command.error(`error: the log cannot be read: ${error.message}`);
  });
  yield* createInterface({ input, crlfDelay: Infinity });
}
