import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type SendAnswer, sendDirectMessage } from './client.js';

/** Exit codes of `tightbeam send`, by the HTTP status of the answer. */
const EXIT_CODES: readonly (readonly [status: number, code: number, what: string])[] = [
  [200, 0, 'delivered (or, with --no-confirmation, handed over)'],
  [400, 2, 'the request is not valid'],
  [401, 3, 'the credentials are not valid'],
  [403, 4, 'sender or receiver is not authorized'],
  [404, 5, 'the client is not connected'],
  [413, 6, 'the payload is too large'],
  [429, 7, 'throttled'],
  [504, 8, 'no acknowledgement came'],
];
/** Anything else: the service or the broker failed, or could not be reached. */
const EXIT_FAILURE = 1;

interface SendOptions {
  readonly clientId: string;
  readonly topic: string;
  readonly payload?: string;
  readonly file?: string;
  readonly confirmation: boolean;
  readonly timeout?: number;
  readonly endpoint: string;
  readonly region: string;
  readonly json?: boolean;
}

/** `tightbeam send`: SendDirectMessage with the access key of the environment, as any AWS client would send it. */
export function sendCommand(command: Command): void {
  const exits = EXIT_CODES.map(([, code, what]) => `  ${code}  ${what}`).join('\n');
  command
    .requiredOption('--client-id <id>', 'MQTT client ID of the device')
    .requiredOption('--topic <topic>', 'topic on which the device receives it')
    .addOption(new Option('--payload <text>', 'payload (default: empty)').conflicts('file'))
    .option('--file <path>', 'file with the payload; - for standard input')
    .option('--no-confirmation', "do not wait for the device's PUBACK (QoS 0)")
    .option('--timeout <seconds>', 'how long to wait for the PUBACK, 1 to 15 (default: 5)', wholeNumber)
    .addOption(
      new Option('--endpoint <url>', 'data-plane API: http(s)://HOST:PORT')
        .env('TIGHTBEAM_URL')
        .default('http://127.0.0.1:8080')
        .argParser(origin),
    )
    .option('--region <name>', 'region of the signature', process.env['AWS_REGION'] ?? 'us-east-1')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `\nCredentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.\nExit codes:\n${exits}\n  ${EXIT_FAILURE}  anything else`,
    )
    .action(async (options: SendOptions) => {
      process.exitCode = await send(options);
    });
}

async function send(options: SendOptions): Promise<number> {
  let answer: SendAnswer;
  try {
    answer = await request(options);
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
  return EXIT_CODES.find(([known]) => known === status)?.[1] ?? EXIT_FAILURE;
}

async function request(options: SendOptions): Promise<SendAnswer> {
  const accessKeyId = process.env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = process.env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = process.env['AWS_SESSION_TOKEN'];
  if (!accessKeyId || !secretAccessKey) throw new Error('set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  return sendDirectMessage({
    ...options,
    credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) },
    payload: readPayload(options),
  });
}

function readPayload({ payload, file }: SendOptions): Uint8Array<ArrayBuffer> {
  if (file !== undefined) return new Uint8Array(readFileSync(file === '-' ? 0 : file));
  return new TextEncoder().encode(payload ?? '');
}

function describeFailure(error: unknown, endpoint: string): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${endpoint}: ${cause.message || String(cause)}` : message;
}

/** The signature is of the paths of AWS, so there is no place for a path in front of them. */
function origin(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.pathname + url.search + url.hash !== '/') {
    throw new InvalidArgumentError('It must be http://HOST:PORT or https://HOST:PORT, without a path.');
  }
  return text;
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
}
