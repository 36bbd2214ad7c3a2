import { LineCounter, parseDocument } from 'yaml';

/**
 * Reads YAML (or JSON, which is YAML) without telling what stands in it: the file may hold secrets, and the parser's own
 * messages and warnings quote it. What the parser only warns of, such as an unknown tag, is a mistake here: a password
 * that starts with `!` would be lost.
 *
 * @returns the value, or every mistake with line and column.
 */
export function parseConfidential(text: string): { readonly mistakes: readonly string[]; readonly parsed?: unknown } {
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
  const mistakes = [...document.errors, ...document.warnings].map(({ code, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `no valid YAML at line ${line}, column ${col}: ${code.toLowerCase().replaceAll('_', ' ')}`;
  });
  if (mistakes.length > 0) return { mistakes };
  try {
    return { mistakes, parsed: document.toJS() };
  } catch {
    return { mistakes: ['no valid YAML: an alias (*) without its anchor (&), or too many; quote text that starts so'] };
  }
}
