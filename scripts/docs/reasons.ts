import { REASONS, RETRY, type Reason, type ReasonEntry } from '../../src/reasons.js';
import { answers } from '../../src/telemetry/reason-text.js';
import { markdownTable } from './markdown.js';

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
