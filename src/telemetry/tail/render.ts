import { EVENT_TYPES, type EventRecord } from '../../observing/events.js';

/** One line of `/events`: a record, or the number of records that this follower was too slow for. */
export type TailLine = (Partial<EventRecord> & { readonly timestamp?: string }) | { readonly missed: number };

export interface RenderOptions {
  readonly colour: boolean;
  /** Columns of the terminal: what does not fit goes to further lines. Default: one line, however long. */
  readonly width?: number;
}

/** How far lines after the first are indented: below the outcome. */
const INDENT = 14;

/** Widths of the columns that have one: the longest event type, the longest reason, `15000.0 ms`. */
const EVENT_TYPE = Math.max(...EVENT_TYPES.map(({ length }) => length));
const REASON = 27;
const DURATION = 10;

const COLOURS = /\p{Cc}\[\d+m/gu;

const ANSI = { red: 31, green: 32, yellow: 33, dim: 2, bold: 1 } as const;

/** A record for a terminal, without newline at its end: time, outcome, what, reason, how long, who to whom, why. */
export function renderTailLine(line: TailLine, { colour, width = Infinity }: RenderOptions): string {
  const paint = (style: keyof typeof ANSI, text: string): string =>
    colour && text !== '' ? `\u001b[${ANSI[style]}m${text}\u001b[0m` : text;
  if ('missed' in line) return paint('yellow', `... ${line.missed} not shown: this terminal was too slow for them`);

  const failed = line.status === 'Failure';
  const reason = line.reason ?? line.disconnectReason ?? '';
  const decision = [line.policy, line.statement].filter((part) => part !== undefined).join('/');
  const denial =
    (failed || line.eventType === 'WouldDeny') && line.action !== undefined
      ? [line.action, line.resource, line.cause].join(' ')
      : '';
  const head = [
    paint('dim', (line.timestamp ?? '').slice(11, 23).padEnd(12)),
    failed ? paint('red', 'FAIL') : paint('green', 'ok  '),
    (line.eventType ?? '').padEnd(EVENT_TYPE),
    paint(failed ? 'red' : 'green', printable(reason).padEnd(width === Infinity ? REASON : 0)),
    duration(line.durationMs).padStart(width === Infinity ? DURATION : 0),
  ];
  const rest: readonly (readonly [style: keyof typeof ANSI | undefined, text: string])[] = [
    ['bold', route(line)],
    [undefined, line.topicName === undefined ? '' : printable(line.topicName)],
    ['dim', decision === '' ? '' : `by ${printable(decision)}`],
    ['yellow', printable(denial)],
    ['yellow', printable(line.details ?? '')],
    ['dim', line.traceId ?? ''],
  ];
  let text = head.filter((column) => column !== '').join('  ');
  let column = lengthOf(text);
  for (const [style, part] of rest) {
    if (part === '') continue;
    if (column + 2 + part.length > width) {
      text += `\n${' '.repeat(INDENT)}`;
      column = INDENT;
    } else {
      text += '  ';
      column += 2;
    }
    text += style === undefined ? part : paint(style, part);
    column += part.length;
  }
  return text.trimEnd();
}

/** Columns that a text takes, without what colours it. */
function lengthOf(text: string): number {
  return text.replace(COLOURS, '').length;
}

/** Sender and receiver, or the one client that there is. */
function route({ clientId, principalId, targetClientId }: Partial<EventRecord>): string {
  const from = clientId ?? principalId ?? '?';
  return printable(targetClientId === undefined ? from : `${from} > ${targetClientId}`);
}

function duration(milliseconds: number | undefined): string {
  return milliseconds === undefined ? '' : `${milliseconds.toFixed(1)} ms`;
}

/** Control characters in names that clients choose would be commands to the terminal. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return `\\u{${code.toString(16)}}`;
  });
}
