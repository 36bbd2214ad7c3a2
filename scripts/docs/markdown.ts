/** Rows, the first of them the head, as a Markdown table padded as the formatter of this repository pads it. */
export function markdownTable(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...rows.slice(1).map(line)].join('\n');
}

/** Puts generated text in the place that a page keeps for it. @throws Error where the page has no such place. */
export function fillIn(page: string, name: string, text: string): string {
  const place = new RegExp(`(<!-- begin ${name} -->)[^]*?(<!-- end ${name} -->)`);
  if (!place.test(page)) throw new Error(`The page has no place for ${name}.`);
  return page.replace(place, (_, begin: string, end: string) => `${begin}\n\n${text}\n\n${end}`);
}
