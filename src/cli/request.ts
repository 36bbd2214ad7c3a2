import type { Command } from 'commander';
import {
  addCallOptions,
  credentialsOfEnvironment,
  describeFailure,
  EXIT_FAILURE,
  exitCodeOf,
  readPayload,
  wholeNumber,
  type CallOptions,
} from './calling.js';
import { requestAnswer, type RequestAnswer } from './client.js';

interface RequestOptions extends CallOptions {
  readonly responseTopic: string;
  readonly timeout?: number;
}

/** `tightbeam request`: a message to one device, and what the device answers. */
export function requestCommand(command: Command): void {
  addCallOptions(command)
    .requiredOption('--response-topic <topic>', 'topic on which the device publishes its answer')
    .option('--timeout <seconds>', 'how long to wait for the answer, 1 to 60 (default: 5)', wholeNumber)
    .action(async (options: RequestOptions) => {
      process.exitCode = await request(options);
    });
}

async function request(options: RequestOptions): Promise<number> {
  let answer: RequestAnswer;
  try {
    const credentials = credentialsOfEnvironment();
    answer = await requestAnswer({ ...options, credentials, payload: readPayload(options) });
  } catch (error) {
    process.stderr.write(`tightbeam request: ${describeFailure(error, options.endpoint)}\n`);
    return EXIT_FAILURE;
  }
  const { status, exception, body } = answer;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ status, exception, ...body })}\n`);
  } else if (body.response === undefined) {
    const outcome = body.reason ?? exception ?? 'OK';
    process.stderr.write(`${status} ${outcome}: ${body.message ?? ''} (trace ${body.traceId ?? 'none'})\n`);
  } else {
    // As it is, for whatever reads it; a line of its own before the next prompt of a terminal.
    process.stdout.write(Buffer.from(body.response.payload, 'base64'));
    if (process.stdout.isTTY) process.stdout.write('\n');
  }
  return exitCodeOf(status);
}
