import { DISCONNECT_REASONS } from '../../src/observing/disconnect-reasons.js';
import { EVENTS } from '../../src/observing/events.js';
import { LOG_FIELDS } from '../../src/telemetry/log/fields.js';
import { METRICS, prometheusName, type MetricEntry } from '../../src/telemetry/metrics/catalogue.js';
import { markdownTable } from './markdown.js';

/** The generated parts of docs/telemetry.md, by the name of the place where each stands. */
export const REFERENCE_TABLES: Readonly<Record<string, () => string>> = {
  fields: () =>
    markdownTable([['Field', 'Meaning'], ...Object.entries(LOG_FIELDS).map(([name, text]) => [`\`${name}\``, text])]),
  events: () =>
    markdownTable([
      ['Event type', 'Meaning'],
      ...Object.entries(EVENTS).map(([type, { meaning }]) => [`\`${type}\``, meaning]),
    ]),
  'disconnect-reasons': () => {
    const names = [...new Set(Object.values(DISCONNECT_REASONS))];
    const rows = names.map((name) => [
      `\`${name}\``,
      Object.keys(DISCONNECT_REASONS)
        .filter((reason) => DISCONNECT_REASONS[reason] === name)
        .map((reason) => `\`${reason}\``)
        .join(', '),
    ]);
    return markdownTable([['disconnectReason', 'Reasons of the broker'], ...rows]);
  },
  metrics: () => {
    const entries: MetricEntry[] = Object.values(METRICS);
    const rows = entries.map((entry) => [
      `\`${entry.name}\``,
      `\`${prometheusName(entry)}\``,
      entry.kind,
      `\`${entry.unit}\``,
      entry.labels.map((label) => `\`${label}\``).join(', '),
      entry.description,
    ]);
    return markdownTable([['Metric', 'In Prometheus', 'Kind', 'Unit', 'Labels', 'Meaning'], ...rows]);
  },
};
