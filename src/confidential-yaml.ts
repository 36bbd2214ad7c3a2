import { isMap, isPair, isScalar, LineCounter, parseDocument, type Document } from 'yaml';

/** What was read, and where in the file a value stands, by its path. */
export interface Confidential {
  readonly parsed?: unknown;
  readonly mistakes: readonly string[];
  /**
   * `FILE:LINE:COLUMN`, each from 1 on; of the nearest thing above it where there is no such value. The file alone where it
   * is empty.
   */
  readonly placeOf: (path: readonly PropertyKey[]) => string;
}

/**
 * Reads YAML (or JSON, which is YAML) without telling what stands in it: the file may hold secrets, and the parser's own
 * messages and warnings quote it. What the parser only warns of, such as an unknown tag, is a mistake here: a password
 * that starts with `!` would be lost.
 *
 * @param file what the text is from, for places
 * @returns the value, or every mistake with line and column.
 */
export function parseConfidential(text: string, file: string): Confidential {
  const lines = new LineCounter();
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'error', lineCounter: lines });
  const mistakes = [...document.errors, ...document.warnings].map(({ code, pos }) => {
    const { line, col } = lines.linePos(pos[0]);
    return `no valid YAML at line ${line}, column ${col}: ${code.toLowerCase().replaceAll('_', ' ')}`;
  });
  const placeOf: Confidential['placeOf'] = (path) => {
    const offset = offsetOf(document, path);
    if (offset === undefined) return file;
    const { line, col } = lines.linePos(offset);
    return `${file}:${line}:${col}`;
  };
  if (mistakes.length > 0) return { mistakes, placeOf };
  try {
    return { mistakes, placeOf, parsed: document.toJS() };
  } catch {
    const alias = 'no valid YAML: an alias (*) without its anchor (&), or too many; quote text that starts so';
    return { mistakes: [alias], placeOf };
  }
}

/** Of the key where the value is one of a map, for that is what a reader looks for. */
function offsetOf(document: Document.Parsed, path: readonly PropertyKey[]): number | undefined {
  let node: unknown = document.contents;
  let offset = document.contents?.range[0];
  for (const name of path) {
    const items: readonly unknown[] = (node as { readonly items?: readonly unknown[] } | null)?.items ?? [];
    const pair = isMap(node)
      ? node.items.find(({ key }) => isScalar(key) && String(key.value) === String(name))
      : undefined;
    const next = isMap(node) ? pair?.value : items[Number(name)];
    const at = isPair(pair) ? pair.key : next;
    const range = (at as { readonly range?: readonly number[] } | null | undefined)?.range;
    if (range === undefined) return offset;
    [offset, node] = [range[0], next];
  }
  return offset;
}
