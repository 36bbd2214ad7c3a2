import { expect } from '@jest/globals';
import { REASONS, type Reason, type ReasonEntry } from '../../../src/reasons.js';
import { METRICS, prometheusName } from '../../../src/telemetry/metrics/catalogue.js';
import type { Line } from '../capture.js';
import type { OtlpReceiver, ReceivedSpan } from '../otlp-receiver.js';
import { scrape, sumOf } from '../scrape.js';

/** OTLP's numbers of span kinds and status codes. */
export const Kind = { Internal: 1, Server: 2, Producer: 4 } as const;
export const ERROR = 2;

/** The call by which EMQX asks, of whichever generation: v2 up to 5.8, v3 after it. */
export const HOOK = /^emqx\.exhook\.v[23]\.HookProvider\/OnClientAuthorize$/;
export const MESSAGE = 'send $dm/{clientId}/{topic}';

export type Door = 'HTTP' | 'MQTT';

/** Where a service tells what it did. */
export interface Signals {
  readonly log: { readonly lines: readonly Line[]; next(matches: (line: Line) => boolean): Promise<Line> };
  readonly receiver: OtlpReceiver;
  readonly metricsPort: number;
}

/** Those that end before the service knows that the request is for SendDirectMessage. */
const NO_OPERATION: readonly Reason[] = ['UNKNOWN_OPERATION', 'METHOD_NOT_ALLOWED', 'INVALID_REQUEST'];

/** Brings a reason about, and holds log line, trace and counter of it against the table of reasons. */
export async function expectTold(
  signals: Signals,
  door: Door,
  reason: Reason,
  provoke: () => Promise<unknown>,
): Promise<void> {
  const before = await countOf(signals, reason, door);
  const line = await lineOf(signals, reason, door, provoke);
  const { status, http = 500 }: ReasonEntry = REASONS[reason];
  expect(line).toMatchObject({
    reason,
    status,
    logLevel: status === 'Success' ? 'INFO' : 'ERROR',
    eventType: NO_OPERATION.includes(reason) ? 'HttpRequest' : 'SendDirectMessage',
    accountId: '000000000000',
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
  });
  if (!NO_OPERATION.includes(reason)) expect(await countOf(signals, reason, door)).toBe(before + 1);

  const isRoot = (span: ReceivedSpan) => span.parentSpanId === undefined || span.parentSpanId === '';
  const spans = await traceOf(signals.receiver, line['traceId'], isRoot);
  const root = only(spans, isRoot);
  expect(root).toMatchObject({ kind: door === 'HTTP' ? Kind.Server : ofMessage(spans).kind });
  expect(root.attributes['tightbeam.reason']).toBe(reason);
  // What is the caller's fault is no error of an HTTP server.
  expect(root.status.code === ERROR).toBe(status === 'Failure' && (door === 'MQTT' || http >= 500));
}

/** The spans of a trace when the one that ends last has arrived. */
export async function traceOf(
  receiver: OtlpReceiver,
  traceId: unknown,
  isLast: (span: ReceivedSpan) => boolean,
): Promise<ReceivedSpan[]> {
  await receiver.next((span) => span.traceId === traceId && isLast(span));
  return receiver.spans.filter((span) => span.traceId === traceId);
}

export function only(spans: readonly ReceivedSpan[], matches: (span: ReceivedSpan) => boolean): ReceivedSpan {
  const [found, second] = spans.filter(matches);
  if (found === undefined || second !== undefined) throw new Error(`not one: ${JSON.stringify(spans, null, 1)}`);
  return found;
}

/** The line of what is brought about. */
function lineOf({ log }: Signals, reason: Reason, door: Door, provoke: () => Promise<unknown>): Promise<Line> {
  const earlier = new Set(log.lines);
  const isIt = (line: Line) =>
    !earlier.has(line) && line['reason'] === reason && line['eventType'] !== 'Receive' && line['protocol'] === door;
  return provoke().then(() => log.next(isIt));
}

async function countOf({ metricsPort }: Signals, reason: Reason, door: Door): Promise<number> {
  return sumOf(await scrape(metricsPort), `${prometheusName(METRICS.directMessages)}_count`, { reason, door });
}

/** The span of the message itself, or of the call that refused it. */
function ofMessage(spans: readonly ReceivedSpan[]): ReceivedSpan {
  return spans.find(({ name }) => name === MESSAGE) ?? only(spans, ({ name }) => HOOK.test(name));
}
