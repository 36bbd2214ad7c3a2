/**
 * True where the text is a topic filter (MQTT 5, section 4.7.1): at least one character, no U+0000, `+` only as a whole
 * level, `#` only as the whole last level. Aedes accepts `a+`, `+a` and `a#`, so filters are checked before it.
 */
export function isTopicFilter(filter: string): boolean {
  if (filter === '' || filter.includes('\0')) return false;
  const levels = filter.split('/');
  return levels.every((level, index) => {
    if (level === '#') return index === levels.length - 1;
    return level === '+' || !/[+#]/.test(level);
  });
}

/** True where the topic name matches the filter. Wildcards at the start do not match `$` topics (section 4.7.2). */
export function matchesTopic(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const levels = topic.split('/');
  const wanted = filter.split('/');
  for (const [index, level] of wanted.entries()) {
    if (level === '#') return true;
    if (index >= levels.length || (level !== '+' && level !== levels[index])) return false;
  }
  return wanted.length === levels.length;
}
