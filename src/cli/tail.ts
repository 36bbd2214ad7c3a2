import type { Command } from 'commander';
import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { writeTailFilter, type TailFilter } from '../telemetry/tail/filter.js';
import { addServiceAddress, tokenOf, type ServiceAddress } from './service-address.js';
import { renderTailLine, type TailLine } from '../telemetry/tail/render.js';

export interface TailOptions extends ServiceAddress {
  readonly json?: true;
  readonly color: boolean;
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
    .option('--json', 'print the records as JSON, one a line')
    .option('--no-color', 'print without colour (also: NO_COLOR)')
    .addHelpText(
      'after',
      `
A line has: time (UTC), ok or FAIL, event type, reason, duration, who > to whom, topic, the policy and statement that
decided (of a denial: action, resource, cause), details, trace id. It begins now; what has been is in the log.

It shows what this one replica does, also what levels and sampling leave out of its log. Unless the service has a token
for this, it answers on its own machine only; in its container:
  $ kubectl exec POD -- node dist/cli/main.js tail --failures
  $ docker compose exec tightbeam node dist/cli/main.js tail --failures

Filters of one kind widen, filters of different kinds narrow:
  $ tightbeam tail --failures
  $ tightbeam tail --client-id 'lock-*' --reason PUBACK_TIMEOUT RECEIVER_DISCONNECTED
  $ tightbeam tail --topic 'cmd/*' --json | jq .

What a reason means and what to do next: tightbeam logs explain REASON`,
    )
    .action(async (options: TailOptions, command: Command) => {
      const { env, stdout, stderr } = process;
      const colour = options.color && stdout.isTTY && (env['NO_COLOR'] ?? '') === '';
      try {
        await follow({ ...options, ...tokenOf(options, env) }, { output: stdout, notices: stderr, colour });
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
  /** Ends the following; without it, it ends with the process. */
  readonly signal?: AbortSignal;
}

/** Follows until the signal. @throws Error where the service is not there at the start, or refuses. */
export async function follow(options: TailOptions, terminal: Terminal): Promise<void> {
  let body: Readable | undefined = await connect(options, terminal);
  while (body !== undefined) {
    await print(body, options, terminal);
    if (terminal.signal?.aborted === true) return;
    terminal.notices.write('The service has gone; waiting for it to come back.\n');
    body = await reconnect(options, terminal);
    terminal.notices.write('It is back.\n');
  }
}

async function reconnect(options: TailOptions, terminal: Terminal): Promise<Readable | undefined> {
  while (terminal.signal?.aborted !== true) {
    await wait(RETRY_MS);
    try {
      return await connect(options, terminal);
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
  }
  return undefined;
}

/** The service answered, and the answer is no. */
class Refused extends Error {}

async function connect(options: TailOptions, { signal }: Terminal): Promise<Readable> {
  const url = new URL('/events', options.url);
  url.search = writeTailFilter(filterOf(options)).toString();
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

function filterOf(options: TailOptions): TailFilter {
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

/** Prints until the connection ends; a terminal that is slow makes the service leave lines out, not this grow. */
async function print(body: Readable, { json }: TailOptions, { output, colour }: Terminal): Promise<void> {
  for await (const line of linesOf(body)) {
    if (line === '') continue;
    const text = json === true ? line : renderTailLine(JSON.parse(line) as TailLine, { colour });
    if (!output.write(`${text}\n`)) await once(output, 'drain');
  }
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
