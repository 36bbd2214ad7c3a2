import { PubackCode, REASONS, RETRY, type Reason, type ReasonEntry } from '../reasons.js';

/** `0x87` for a PUBACK reason code. */
const hex = (code: PubackCode): string => `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;

/** HTTP status and exception, PUBACK code; a dash where the reason never answers through that door. */
export function answers(entry: ReasonEntry): { http: string; exception: string; mqtt: string } {
  return {
    http: entry.http === undefined ? '-' : String(entry.http),
    exception: entry.exception ?? '-',
    mqtt: entry.mqtt === undefined ? '-' : hex(entry.mqtt),
  };
}

/** One reason explained for a terminal: meaning, answers, likely causes, next steps. Ends with a newline. */
export function explainReason(reason: Reason): string {
  const entry: ReasonEntry = REASONS[reason];
  const { http, exception, mqtt } = answers(entry);
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0 ? [] : ['', title, ...items.map((item) => `  - ${item}`)];
  return [
    `${reason} (${entry.status})`,
    '',
    entry.meaning,
    '',
    `HTTP ${http} ${exception}, PUBACK ${mqtt}`,
    `The caller reads: ${entry.message}`,
    `Sending again: ${RETRY[entry.retry]}`,
    ...list('Likely causes, most likely first:', entry.causes),
    ...list('Next:', entry.next),
    '',
  ].join('\n');
}
