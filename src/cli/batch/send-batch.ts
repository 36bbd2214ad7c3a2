import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type BatchAnswer, BatchRefused, sendMessageBatch, type Signing } from '../client.js';
import { Journal, type Outcome } from './journal.js';
import { partsOf, type Part } from './parts.js';
import { number, Progress, Tally } from './progress.js';

export interface BatchOptions extends Signing {
  /** Path; `-` is standard input. */
  readonly file: string;
  /** Path; beside the file, where it is not given. */
  readonly outcomes: string | undefined;
  readonly resume: boolean;
  readonly json: boolean;
}

/** What became of the whole. */
export interface BatchSummary {
  readonly tally: Tally;
  /** Why it ended before its end; then some lines have no outcome. */
  readonly cut: string | undefined;
}

/** Sends the lines of a file, and writes the outcome of each to another as it comes. */
export async function sendBatchFile(options: BatchOptions): Promise<BatchSummary> {
  const { file, json } = options;
  const path = options.outcomes ?? (file === '-' ? undefined : `${file}.outcomes`);
  if (path === undefined) throw new Error('standard input needs --outcomes FILE');
  const total = file === '-' ? undefined : await countLines(file);
  const journal = options.resume ? await Journal.resume(path) : Journal.begin(path);
  const tally = new Tally();
  const progress = new Progress(process.stderr, total && total - journal.settled.size, () => performance.now());
  let cut: string | undefined;
  try {
    for await (const part of partsOf(file === '-' ? process.stdin : createReadStream(file), journal)) {
      cut = await sendPart(options, part, journal, tally, progress);
      if (cut !== undefined) break;
    }
  } finally {
    progress.clear();
    journal.close();
  }
  tell({ tally, cut }, progress.seconds, { path, json, skipped: journal.settled.size });
  return { tally, cut };
}

/** @returns why some of its lines have no outcome, where that is so */
async function sendPart(
  signing: Signing,
  { body, lines }: Part,
  journal: Journal,
  tally: Tally,
  progress: Progress,
): Promise<string | undefined> {
  let left = lines.length;
  let cut: string | undefined;
  try {
    for await (const answers of await sendMessageBatch(signing, body)) {
      const outcomes = answers.filter(isOutcome).map((one) => ({ ...one, line: lines[one.line - 1] ?? 0 }));
      journal.add(outcomes);
      for (const outcome of outcomes) tally.add(outcome);
      left -= outcomes.length;
      const end = answers.find((one) => !isOutcome(one));
      if (end !== undefined) cut = `${end.reason ?? 'it ended'}: ${end.details ?? end.message ?? ''}`;
      progress.show(tally);
    }
  } catch (error) {
    if (error instanceof BatchRefused) throw error;
    const { message, cause } = error as Error;
    cut = cause instanceof Error ? cause.message || String(cause) : message;
  }
  return left === 0 ? undefined : (cut ?? 'the connection ended');
}

function isOutcome(answer: BatchAnswer): answer is Outcome & BatchAnswer {
  return answer.line !== undefined;
}

async function countLines(file: string): Promise<number> {
  let count = 0;
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    if (line.trim() !== '') count += 1;
  }
  return count;
}

function tell(
  { tally, cut }: BatchSummary,
  seconds: number,
  { path, json, skipped }: { readonly path: string; readonly json: boolean; readonly skipped: number },
): void {
  const { lines, counts } = tally;
  if (json) {
    const summary = { lines, skipped, counts: Object.fromEntries(counts), seconds, outcomes: path, cut };
    process.stdout.write(`${JSON.stringify(summary)}\n`);
    return;
  }
  const before = skipped === 0 ? '' : ` (${number(skipped)} were settled before)`;
  process.stdout.write(
    `${number(lines)} lines in ${seconds.toFixed(1)} s, ${number(seconds > 0 ? lines / seconds : 0)}/s${before}\n`,
  );
  for (const [reason, count] of [...counts].sort(([, one], [, other]) => other - one)) {
    process.stdout.write(`${number(count).padStart(10)}  ${reason}\n`);
  }
  process.stdout.write(`outcomes: ${path}\n`);
  if (cut !== undefined) process.stderr.write(`tightbeam send: cut off (${cut}); --resume sends what is left\n`);
}
