import { type Command, Option } from 'commander';
import { sendBatchFile, type BatchSummary } from './batch/send-batch.js';
import {
  addCommonOptions,
  credentialsOfEnvironment,
  describeFailure,
  EXIT_FAILURE,
  exitCodeOf,
  readPayload,
  wholeNumber,
  type CallOptions,
} from './calling.js';
import { BatchRefused, sendDirectMessage, type SendAnswer } from './client.js';

/** Exit code of a batch whose messages failed in several ways. */
const EXIT_MIXED = 10;

interface SendOptions extends Omit<CallOptions, 'clientId' | 'topic'> {
  readonly clientId?: string;
  readonly topic?: string;
  readonly confirmation: boolean;
  readonly timeout?: number;
  readonly idempotencyKey?: string;
  readonly batch?: string;
  readonly outcomes?: string;
  readonly resume?: boolean;
}

/** `tightbeam send`: SendDirectMessage with the access key of the environment, as any AWS client would send it. */
export function sendCommand(command: Command): void {
  command
    .addOption(new Option('--client-id <id>', 'MQTT client ID of the device').conflicts('batch'))
    .addOption(new Option('--topic <topic>', 'topic on which the device receives it').conflicts('batch'));
  addCommonOptions(command)
    .option('--no-confirmation', "do not wait for the device's PUBACK (QoS 0)")
    .option('--timeout <seconds>', 'how long to wait for the PUBACK, 1 to 15 (default: 5)', wholeNumber)
    .option('--idempotency-key <key>', 'what repeats of this message have in common: it is delivered once')
    .addOption(
      new Option(
        '--batch <file>',
        'send a message a line (NDJSON: clientId, topic, payload, confirmation, ...); - for standard input',
      ).conflicts(['payload', 'file', 'timeout', 'idempotencyKey']),
    )
    .option('--outcomes <file>', 'where the outcome of each line of a batch goes (default: FILE.outcomes)')
    .option('--resume', 'go on with the batch of the outcomes file: send what has none, or failed')
    .addHelpText('after', `  ${EXIT_MIXED}  a batch whose messages failed in several ways; in one way, its code`)
    .action(async (options: SendOptions) => {
      process.exitCode = options.batch === undefined ? await send(options) : await sendBatch(options, options.batch);
    });
}

async function send(options: SendOptions): Promise<number> {
  let answer: SendAnswer;
  try {
    const { clientId, topic } = options;
    if (clientId === undefined || topic === undefined)
      throw new Error('--client-id and --topic are needed, or --batch');
    const credentials = credentialsOfEnvironment();
    answer = await sendDirectMessage({ ...options, clientId, topic, credentials, payload: readPayload(options) });
  } catch (error) {
    process.stderr.write(`tightbeam send: ${describeFailure(error, options.endpoint)}\n`);
    return EXIT_FAILURE;
  }
  const { status, exception, body } = answer;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ status, exception, ...body })}\n`);
  } else {
    const outcome = body.reason ?? exception ?? 'OK';
    process.stdout.write(`${status} ${outcome}: ${body.message ?? ''} (trace ${body.traceId ?? 'none'})\n`);
  }
  return exitCodeOf(status);
}

async function sendBatch(options: SendOptions, file: string): Promise<number> {
  const { endpoint, region, outcomes, resume = false, json = false } = options;
  try {
    const credentials = credentialsOfEnvironment();
    return exitOfBatch(await sendBatchFile({ endpoint, region, credentials, file, outcomes, resume, json }));
  } catch (error) {
    process.stderr.write(`tightbeam send: ${describeFailure(error, endpoint)}\n`);
    return error instanceof BatchRefused ? exitCodeOf(error.answer.status) : EXIT_FAILURE;
  }
}

function exitOfBatch({ tally: { failures }, cut }: BatchSummary): number {
  if (cut !== undefined) return EXIT_FAILURE;
  const codes = new Set([...failures].map(exitCodeOf));
  const [code = 0, ...others] = codes;
  return others.length > 0 ? EXIT_MIXED : code;
}
