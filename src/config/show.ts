import { Document, isPair, isScalar, visit } from 'yaml';
import type { LoadedConfig } from './load.js';

/** Settings that nobody is shown. */
export const SECRET_SETTINGS: readonly string[] = [
  'broker.password',
  'broker.api.secret',
  'telemetry.tailToken',
  'console.sessionSecret',
];

/** The settings in force as YAML, each that is no default with a comment that says where it comes from. */
export function showConfig({ config, originOf }: LoadedConfig): string {
  const document = new Document(structuredClone(config));
  visit(document, {
    Pair(_, pair, above) {
      const path = [...above, pair].flatMap((node) =>
        isPair(node) && isScalar(node.key) ? [String(node.key.value)] : [],
      );
      const { value } = pair;
      if (isScalar(value) && SECRET_SETTINGS.includes(path.join('.'))) value.value = '(hidden)';
      const origin = originOf(path);
      if (origin === undefined || value === null) return;
      if (isScalar(value)) value.comment = ` ${origin}`;
    },
  });
  return document.toString({ lineWidth: 0 });
}
