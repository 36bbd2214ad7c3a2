/**
 * Names that EMQX takes apart. Policies speak of what is left: a client must not get around a Deny by a prefix.
 */

/** `$share/{group}/{filter}` (MQTT 5, section 4.8.2), and EMQX's `$queue/{filter}` and `$exclusive/{filter}`. */
export function realFilter(filter: string): string {
  const found = /^\$(?:share\/[^/]*|queue|exclusive)\/(.+)$/s.exec(filter);
  return found?.[1] ?? filter;
}

/** EMQX's `$delayed/{seconds}/{topic}`: the message is published on the topic, later, and then taken apart again. */
export function realTopic(topic: string): string {
  let name = topic;
  while (name.startsWith('$delayed/')) {
    const end = name.indexOf('/', '$delayed/'.length);
    if (end < 0) return name;
    name = name.slice(end + 1);
  }
  return name;
}

/** MQTT 5, section 4.7.1: not empty, no U+0000, `+` only as a whole level, `#` only as the whole last level. */
export function isTopicFilter(filter: string): boolean {
  const levels = filter.split('/');
  return (
    filter !== '' &&
    !filter.includes('\0') &&
    levels.every((level, index) => {
      if (level === '#') return index === levels.length - 1;
      return level === '+' || !/[+#]/.test(level);
    })
  );
}

/** True where the filter matches more than the one topic of its own name. */
export function hasWildcard(filter: string): boolean {
  return /[+#]/.test(filter);
}
