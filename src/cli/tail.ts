import { InvalidArgumentError, type Command } from 'commander';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { readLast, readMoment, writeEventFilter, type EventFilter } from '../observing/filter.js';
import { printFile } from './tail-file.js';
import { addServiceAddress, tokenOf, type ServiceAddress } from './service-address.js';
import { renderTailLine, type TailLine } from '../telemetry/tail/render.js';

export interface TailOptions extends ServiceAddress {
  readonly json?: true;
  readonly color: boolean;
  readonly last?: number;
  readonly since?: string;
  /** Ends after what has been. */
  readonly follow?: boolean;
  /** A log to read in place of a running service; `-` for standard input. */
  readonly file?: string;
  readonly failures?: true;
  readonly clientId?: readonly string[];
  readonly reason?: readonly string[];
  readonly eventType?: readonly string[];
  readonly principalId?: readonly string[];
  readonly topic?: readonly string[];
  readonly traceId?: readonly string[];
}

/** How long to wait before the service is asked again after it went away. */
const RETRY_MS = 1000;

/** `tightbeam tail`: follow what a running service decides and delivers. */
export function tailCommand(command: Command): void {
  addServiceAddress(command)
    .option('--client-id <id...>', 'only this sender or receiver; * stands for any characters')
    .option(
      '--reason <reason...>',
      'only this reason (of a Disconnect: its disconnectReason), for instance PUBACK_TIMEOUT',
    )
    .option('--failures', 'only what failed')
    .option(
      '--event-type <type...>',
      'only this event type, for instance SendDirectMessage, Receive, Connect, Disconnect',
    )
    .option('--principal-id <name...>', 'only this principal')
    .option('--topic <topic...>', 'only this topic; * stands for any characters')
    .option('--trace-id <id...>', 'only this trace, for instance of a traceparent that you are about to send')
    .option(
      '--last <n>',
      'begin with the last n that match, of what is still in memory: up to 10,000',
      checked(readLast),
    )
    .option(
      '--since <when>',
      'begin with what is in memory since then: 90s, 10m, 2h, 1d, or 2026-11-21T03:00:00Z',
      checked((text) => (readMoment(text, Date.now()), text)),
    )
    .option('--no-follow', 'end after what has been')
    .option('--file <path>', 'read a log in place of a running service; - for standard input')
    .option('--json', 'print the records as JSON, one a line')
    .option('--no-color', 'print without colour (also: NO_COLOR)')
    .addHelpText(
      'after',
      `
A line has: time (UTC), ok or FAIL, event type, reason, duration, who > to whom, topic, the policy and statement that
decided (of a denial: action, resource, cause), details, trace id. On a terminal, what does not fit stands on lines
below. It begins now, or with --last or --since before: the service has its last 10,000 events in memory.

It shows what this one replica does, also what levels and sampling leave out of its log. Unless the service has a token
for this, it answers on its own machine only; in its container:
  $ kubectl exec POD -- node dist/cli/main.js tail --failures
  $ docker compose exec tightbeam node dist/cli/main.js tail --failures

Filters of one kind widen, filters of different kinds narrow:
  $ tightbeam tail --failures
  $ tightbeam tail --client-id 'lock-*' --reason PUBACK_TIMEOUT RECEIVER_DISCONNECTED
  $ tightbeam tail --topic 'cmd/*' --json | jq .

What has been, and what an old log says:
  $ tightbeam tail --since 10m --failures --no-follow
  $ docker compose logs tightbeam | tightbeam tail --file - --client-id lock-17

What a reason means and what to do next: tightbeam logs explain REASON`,
    )
    .action(async (options: TailOptions, command: Command) => {
      const { env, stdout, stderr } = process;
      const colour = options.color && stdout.isTTY && (env['NO_COLOR'] ?? '') === '';
      try {
        const width = stdout.isTTY ? stdout.columns : undefined;
        const terminal = { output: stdout, notices: stderr, colour, ...(width !== undefined && { width }) };
        if (options.file === undefined) await follow({ ...options, ...tokenOf(options, env) }, terminal);
        else await printFile({ ...options, file: options.file }, filterOf(options), terminal);
      } catch (error) {
        command.error(`error: ${error instanceof Error ? error.message : String(error)}`);
      }
    });
}

export interface Terminal {
  readonly output: Writable;
  /** Where it says that the service went away and came back. */
  readonly notices: Writable;
  readonly colour: boolean;
  /** Columns; absent where it is none, and a record is one line. */
  readonly width?: number;
  /** Ends the following; without it, it ends with the process. */
  readonly signal?: AbortSignal;
}

/** Follows until the signal. @throws Error where the service is not there at the start, or refuses. */
export async function follow(options: TailOptions, terminal: Terminal): Promise<void> {
  const past = {
    ...(options.last !== undefined && { last: String(options.last) }),
    ...(options.since !== undefined && { since: options.since }),
    ...(options.follow === false && { follow: 'false' }),
  };
  let body: Readable | undefined = await connect(options, past, terminal);
  while (body !== undefined) {
    const latest = await print(body, options, terminal);
    if (terminal.signal?.aborted === true || options.follow === false) return;
    terminal.notices.write('The service has gone; waiting for it to come back.\n');
    // What happened meanwhile, where it is the connection that had gone and not the service.
    body = await reconnect(options, latest === undefined ? {} : { since: momentAfter(latest) }, terminal);
    terminal.notices.write('It is back.\n');
  }
}

type PastQuery = Readonly<Record<string, string>>;

function momentAfter(timestamp: string): string {
  return new Date(Date.parse(timestamp) + 1).toISOString();
}

async function reconnect(options: TailOptions, past: PastQuery, terminal: Terminal): Promise<Readable | undefined> {
  while (terminal.signal?.aborted !== true) {
    await wait(RETRY_MS);
    try {
      return await connect(options, past, terminal);
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
  }
  return undefined;
}

/** The service answered, and the answer is no. */
class Refused extends Error {}

async function connect(options: TailOptions, past: PastQuery, { signal }: Terminal): Promise<Readable> {
  const url = new URL('/events', options.url);
  const query = writeEventFilter(filterOf(options));
  for (const [name, value] of Object.entries(past)) query.set(name, value);
  url.search = query.toString();
  const headers: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  let response: Response;
  try {
    response = await fetch(url, { headers, ...(signal && { signal }) });
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    throw new Error(`No service answers at ${url.origin}: ${cause instanceof Error ? cause.message : String(error)}`, {
      cause: error,
    });
  }
  if (!response.ok || response.body === null) {
    throw new Refused(`${url.origin} answers ${response.status}: ${(await response.text()).trim()}`);
  }
  return Readable.fromWeb(response.body);
}

function filterOf(options: TailOptions): EventFilter {
  const { clientId, reason, eventType, principalId, topic, traceId, failures } = options;
  return {
    ...(clientId && { clientIds: clientId }),
    ...(reason && { reasons: reason }),
    ...(eventType && { eventTypes: eventType }),
    ...(principalId && { principalIds: principalId }),
    ...(topic && { topics: topic }),
    ...(traceId && { traceIds: traceId }),
    ...(failures && { failures }),
  };
}

/**
 * Prints until the connection ends; a terminal that is slow makes the service leave lines out, not this grow.
 *
 * @returns the timestamp of the latest record
 */
async function print(body: Readable, { json }: TailOptions, terminal: Terminal): Promise<string | undefined> {
  let latest: string | undefined;
  for await (const line of linesOf(body)) {
    if (line === '') continue;
    const record = JSON.parse(line) as TailLine;
    if ('timestamp' in record) latest = record.timestamp;
    await printRecord(json === true ? line : record, terminal);
  }
  return latest;
}

/** A record for people, or a line as it is. */
export async function printRecord(record: TailLine | string, { output, colour, width }: Terminal): Promise<void> {
  const text = typeof record === 'string' ? record : renderTailLine(record, { colour, ...(width && { width }) });
  if (!output.write(`${text}\n`)) await once(output, 'drain');
}

/** Whole lines, until the connection ends in whatever way. */
async function* linesOf(body: Readable): AsyncGenerator<string> {
  const chunks: AsyncIterable<string> = body.setEncoding('utf8');
  let rest = '';
  try {
    for await (const chunk of chunks) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  } catch {
    // A service that was killed ends the connection in the middle of it; the caller waits for the next one.
  }
}

/** An option whose value must be one of these. */
function checked<T>(read: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return read(text);
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message);
    }
  };
}
