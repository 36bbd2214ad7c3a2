/**
 * What the engine is compared with: the semantics of the documentation written down as plainly as possible, on raw JSON,
 * statement by statement, sharing nothing with the engine. Slow, and covers what the properties generate.
 */
export interface RawStatement {
  readonly Sid: string;
  readonly Effect: 'Allow' | 'Deny';
  readonly Action?: string[];
  readonly NotAction?: string[];
  readonly Resource?: string[];
  readonly NotResource?: string[];
  readonly Condition?: Record<string, Record<string, string[]>>;
}

export type Facts = Readonly<Record<string, string | undefined>>;
type Answer = 'yes' | 'no' | 'unknown';

export interface ReferenceDecision {
  readonly effect: 'allow' | 'deny';
  readonly cause: string;
  readonly statement?: string;
}

export function referenceDecision(
  statements: readonly RawStatement[],
  action: string,
  resource: string,
  facts: Facts,
): ReferenceDecision {
  const matching = statements.map((statement) => ({ statement, answer: applies(statement, action, resource, facts) }));
  const first = (effect: string, answer: Answer): RawStatement | undefined =>
    matching.find((item) => item.statement.Effect === effect && item.answer === answer)?.statement;
  const deny = first('Deny', 'yes');
  if (deny !== undefined) return { effect: 'deny', cause: 'explicitDeny', statement: deny.Sid };
  const unknown = first('Deny', 'unknown');
  if (unknown !== undefined) return { effect: 'deny', cause: 'error', statement: unknown.Sid };
  const allow = first('Allow', 'yes');
  if (allow !== undefined) return { effect: 'allow', cause: 'explicitAllow', statement: allow.Sid };
  return { effect: 'deny', cause: 'implicitDeny' };
}

function applies(statement: RawStatement, action: string, resource: string, facts: Facts): Answer {
  const named = (statement.Action ?? statement.NotAction ?? []).some((pattern) => glob(pattern, action, {}) === 'yes');
  if (named !== (statement.Action !== undefined)) return 'no';
  const among = any((statement.Resource ?? statement.NotResource ?? []).map((arn) => arnGlob(arn, resource, facts)));
  const about = statement.Resource === undefined ? negate(among) : among;
  const conditions = Object.entries(statement.Condition ?? {}).flatMap(([operator, keys]) =>
    Object.entries(keys).map(([key, values]) => holds(operator, facts[key], values, facts)),
  );
  return negate(any([about, ...conditions].map(negate)));
}

function holds(operator: string, actual: string | undefined, values: string[], facts: Facts): Answer {
  if (operator === 'Null') return values.includes(String(actual === undefined)) ? 'yes' : 'no';
  const negated = operator.includes('Not');
  if (actual === undefined) return negated || operator.endsWith('IfExists') ? 'yes' : 'no';
  const answer = any(values.map((value) => compare(operator, actual, value, facts)));
  return negated ? negate(answer) : answer;
}

function compare(operator: string, actual: string, value: string, facts: Facts): Answer {
  if (operator.includes('Like')) return glob(value, actual, facts);
  if (operator.startsWith('String')) return glob(literally(value), actual, facts);
  if (!/^-?\d+$/.test(actual)) return 'unknown';
  return (operator.includes('LessThan') ? Number(actual) < Number(value) : Number(actual) === Number(value))
    ? 'yes'
    : 'no';
}

/** Wildcards outside of references as the characters that they are. */
function literally(value: string): string {
  return value.replace(/\$\{[^}]*\}|[*?]/g, (part) => (part.length > 1 ? part : `\${${part}}`));
}

/** The first five parts each on their own; a `*` at the end of an ARN of fewer parts stands for what is missing. */
function arnGlob(pattern: string, text: string, facts: Facts): Answer {
  const parts = pattern.split(':');
  const scope = parts.slice(0, Math.min(5, parts.length - 1));
  const texts = text.split(':');
  const within = scope.every((part, index) => glob(part, texts[index] ?? ':', facts) === 'yes');
  if (!within || texts.length <= scope.length) return 'no';
  return glob(parts.slice(scope.length).join(':'), texts.slice(scope.length).join(':'), facts);
}

/** A variable without a value could be anything. */
export function glob(pattern: string, text: string, facts: Facts): Answer {
  const missing: string[] = [];
  const escape = (literal: string): string => literal.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
  const source = pattern.replace(/\$\{([^}]*)\}|\*|\?|[^$*?]+|\$/gs, (part: string, reference?: string) => {
    if (part === '*') return '[^]*';
    if (part === '?') return '[^]';
    if (reference === undefined) return escape(part);
    if (['*', '?', '$'].includes(reference)) return escape(reference);
    const [, key = '', fallback] = /^([^,]*)(?:, '(.*)')?$/.exec(reference) ?? [];
    const value = facts[key] ?? fallback;
    if (value === undefined) missing.push(key);
    return value === undefined ? '[^]*' : escape(value);
  });
  if (!new RegExp(`^${source}$`, 'u').test(text)) return 'no';
  return missing.length > 0 ? 'unknown' : 'yes';
}

function any(answers: readonly Answer[]): Answer {
  return answers.includes('yes') ? 'yes' : answers.includes('unknown') ? 'unknown' : 'no';
}

function negate(answer: Answer): Answer {
  return answer === 'unknown' ? 'unknown' : answer === 'yes' ? 'no' : 'yes';
}

/** MQTT 5, section 4.7, level by level. */
export function filterMatches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false;
  const matches = (filters: readonly string[], levels: readonly string[]): boolean => {
    const [first, ...others] = filters;
    if (first === undefined) return levels.length === 0;
    if (first === '#') return true;
    const [level, ...below] = levels;
    if (level === undefined) return false;
    return (first === '+' || first === level) && matches(others, below);
  };
  return matches(filter.split('/'), topic.split('/'));
}
