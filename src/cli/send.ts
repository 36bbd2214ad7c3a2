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
import { sendDirectMessage, type SendAnswer } from './client.js';

interface SendOptions extends CallOptions {
  readonly confirmation: boolean;
  readonly timeout?: number;
}

/** `tightbeam send`: SendDirectMessage with the access key of the environment, as any AWS client would send it. */
export function sendCommand(command: Command): void {
  addCallOptions(command)
    .option('--no-confirmation', "do not wait for the device's PUBACK (QoS 0)")
    .option('--timeout <seconds>', 'how long to wait for the PUBACK, 1 to 15 (default: 5)', wholeNumber)
    .action(async (options: SendOptions) => {
      process.exitCode = await send(options);
    });
}

async function send(options: SendOptions): Promise<number> {
  let answer: SendAnswer;
  try {
    const credentials = credentialsOfEnvironment();
    answer = await sendDirectMessage({ ...options, credentials, payload: readPayload(options) });
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
