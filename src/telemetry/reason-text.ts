import { PubackCode, REASONS, RETRY, type Reason, type ReasonEntry } from '../reasons.js';
import { markdownTable } from '../markdown.js';

/** `0x87` for a PUBACK reason code. */
const hex = (code: PubackCode): string => `0x${code.toString(16).padStart(2, '0').toUpperCase()}`;

/** HTTP status and exception, PUBACK code; a dash where the reason never answers through that door. */
function answers(entry: ReasonEntry): { http: string; exception: string; mqtt: string } {
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

/** docs/reasons.md, whole. */
export function reasonsMarkdown(): string {
  const entries = Object.entries(REASONS) as [Reason, ReasonEntry][];
  const rows = entries.map(([reason, entry]) => {
    const { http, exception, mqtt } = answers(entry);
    return [`\`${reason}\``, entry.status, http, exception, mqtt, entry.http === undefined ? '-' : entry.retry];
  });
  const list = (title: string, items: readonly string[]): string[] =>
    items.length === 0 ? [] : ['', title, '', ...items.map((item) => `- ${item}`)];
  const sections = entries.flatMap(([reason, entry]) => [
    '',
    `## ${reason}`,
    '',
    entry.meaning,
    '',
    `The caller reads: "${entry.message}"`,
    ...(entry.http === undefined ? [] : ['', `Sending again: ${entry.retry}.`]),
    ...list('Likely causes, most likely first:', entry.causes),
    ...list('Next:', entry.next),
  ]);
  return [
    '# Reasons',
    '',
    '<!-- Made from src/reasons.ts by `npm run docs`; edit it there. -->',
    '',
    'What became of a request, in one word: the `reason` of the log line, the `reason` label of the metric, the',
    '`tightbeam.reason` attribute of the span. `tightbeam logs explain REASON` prints the same in a terminal.',
    '',
    markdownTable([['Reason', 'Status', 'HTTP', 'Exception', 'PUBACK', 'Sending again'], ...rows]),
    '',
    '## Sending again',
    '',
    'What a direct message is known by, its identity, is the header `Idempotency-Key`, else `amz-sdk-invocation-id`, which the',
    'SDKs of AWS send; over MQTT the user property `dm-id`. `written` in the answer says whether the message was written to the',
    'connection of the device.',
    '',
    ...Object.entries(RETRY).map(([retry, text]) => `- **${retry}**: ${text}`),
    ...sections,
    '',
  ].join('\n');
}
