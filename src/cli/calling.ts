import { readFileSync } from 'node:fs';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { AwsCredentials } from './client.js';

/** Exit codes of the commands that call the data plane, by the HTTP status of the answer. */
const EXIT_CODES: readonly (readonly [status: number, code: number, what: string])[] = [
  [200, 0, 'delivered (or, with --no-confirmation, handed over); of a request, answered'],
  [400, 2, 'the request is not valid'],
  [401, 3, 'the credentials are not valid'],
  [403, 4, 'sender or receiver is not authorized'],
  [404, 5, 'the client is not connected'],
  [413, 6, 'the payload is too large'],
  [429, 7, 'throttled'],
  [504, 8, 'no acknowledgement, or no answer, came'],
  [422, 9, 'the device refused the message, or its answer is too large'],
  [409, 11, 'the idempotency key stands for another message'],
];
/** Anything else: the service or the broker failed, or could not be reached. */
export const EXIT_FAILURE = 1;

export interface CallOptions {
  readonly clientId: string;
  readonly topic: string;
  readonly payload?: string;
  readonly file?: string;
  readonly endpoint: string;
  readonly region: string;
  readonly json?: boolean;
}

/** What all commands have that send something to one device. */
export function addCallOptions(command: Command): Command {
  command
    .requiredOption('--client-id <id>', 'MQTT client ID of the device')
    .requiredOption('--topic <topic>', 'topic on which the device receives it');
  return addCommonOptions(command);
}

/** What they have in common with a batch. */
export function addCommonOptions(command: Command): Command {
  const exits = EXIT_CODES.map(([, code, what]) => `  ${code}  ${what}`).join('\n');
  return command
    .addOption(new Option('--payload <text>', 'payload (default: empty)').conflicts('file'))
    .option('--file <path>', 'file with the payload; - for standard input')
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
      `\nCredentials: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY. The service has no temporary\ncredentials: with AWS_SESSION_TOKEN every call is refused (401).\nExit codes:\n${exits}\n  ${EXIT_FAILURE}  anything else`,
    );
}

export function exitCodeOf(status: number): number {
  return EXIT_CODES.find(([known]) => known === status)?.[1] ?? EXIT_FAILURE;
}

/** @throws Error where there are none. */
export function credentialsOfEnvironment(): AwsCredentials {
  const accessKeyId = process.env['AWS_ACCESS_KEY_ID'];
  const secretAccessKey = process.env['AWS_SECRET_ACCESS_KEY'];
  const sessionToken = process.env['AWS_SESSION_TOKEN'];
  if (!accessKeyId || !secretAccessKey) throw new Error('set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY');
  return { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) };
}

export function readPayload({ payload, file }: Pick<CallOptions, 'payload' | 'file'>): Uint8Array<ArrayBuffer> {
  if (file !== undefined) return new Uint8Array(readFileSync(file === '-' ? 0 : file));
  return new TextEncoder().encode(payload ?? '');
}

export function describeFailure(error: unknown, endpoint: string): string {
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

export function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError('It must be a whole number of seconds.');
  return Number(text);
}
