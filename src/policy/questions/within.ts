/** Patterns of resources as texts, policy variables standing for themselves. */

/** Stands for a `*` that is a wildcard; no text of a resource has it. */
export const STAR = '\u{10FFFF}';

export const isWide = (resource: string): boolean => /(?<!\$\{)\*/.test(resource);

/** Whether whatever the one matches, the other does: as a text in which `*` is a character that only `*` can match. */
export function isWithin(one: string, other: string): boolean {
  const parts = other.split(/(?<!\$\{)\*/);
  const text = one.replaceAll(/(?<!\$\{)\*/g, STAR);
  const [first = '', ...rest] = parts;
  const last = rest.pop();
  if (last === undefined) return text === first;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let from = first.length;
  for (const part of rest) {
    const at = text.indexOf(part, from);
    if (at < 0 || at + part.length > text.length - last.length) return false;
    from = at + part.length;
  }
  return true;
}
