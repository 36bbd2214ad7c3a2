/** Something wrong with a file of the policy folder. Errors keep the folder from being used, warnings do not. */
export interface Problem {
  readonly severity: 'error' | 'warning';
  /** File name within the folder. */
  readonly file: string;
  /** Sid or index of the statement, name of the principal: where there is one. */
  readonly where?: string;
  /** JSON path of the element, `$` for the whole document. */
  readonly path: string;
  /** What was expected there; for a warning what is doubtful. */
  readonly message: string;
}

/** One line for people: `severity file (where) path: message`. */
export function formatProblem({ severity, file, where, path, message }: Problem): string {
  return `${severity} ${file}${where === undefined ? '' : ` (${where})`} ${path}: ${message}`;
}

/** Characters of an event about problems: a log keeps lines of that size, and nobody reads longer ones. */
const MAX_TOLD = 8_192;

/** Lines about problems as one text of bounded size: what does not fit is counted. */
export function tellProblems(lines: readonly string[]): string {
  let told = '';
  for (const [index, line] of lines.entries()) {
    if (told.length + line.length > MAX_TOLD)
      return `${told}and ${lines.length - index} more: tightbeam policy check tells them`;
    told += `${line}\n`;
  }
  return told.trimEnd();
}

/** Thrown where a folder of policies cannot be used; holds every problem found, not only the first. */
export class PolicyLoadError extends Error {
  override readonly name = 'PolicyLoadError';

  constructor(readonly problems: readonly Problem[]) {
    super(
      problems
        .filter(({ severity }) => severity === 'error')
        .map(formatProblem)
        .join('\n'),
    );
  }
}

/** Problems of a kind that are told; more would be a long list, and say no more. */
const MAX_PROBLEMS = 100;

/** Where in which file the reader is; collects problems, up to a hundred errors and a hundred warnings. */
export class Reporter {
  constructor(
    readonly problems: Problem[],
    private readonly file: string,
    readonly path = '$',
    private readonly where?: string,
  ) {}

  /** The same place under another name: the statement or principal that it belongs to. */
  named(where: string): Reporter {
    return new Reporter(this.problems, this.file, this.path, where);
  }

  at(step: string | number): Reporter {
    const path =
      typeof step === 'number'
        ? `${this.path}[${step}]`
        : /^[A-Za-z_$][\w$]*$/.test(step)
          ? `${this.path}.${step}`
          : `${this.path}[${JSON.stringify(step)}]`;
    return new Reporter(this.problems, this.file, path, this.where);
  }

  /** `expected` says what should be there, `found` is what is. */
  expected(expected: string, found?: unknown): void {
    this.add('error', `expected ${expected}${found === undefined ? '' : `, found ${describe(found)}`}`);
  }

  error(message: string): void {
    this.add('error', message);
  }

  warn(message: string): void {
    this.add('warning', message);
  }

  /** Whether no more errors are collected. */
  get full(): boolean {
    return this.count('error') > MAX_PROBLEMS;
  }

  private add(severity: Problem['severity'], message: string): void {
    const count = this.count(severity);
    if (count > MAX_PROBLEMS) return;
    const where = this.where === undefined ? {} : { where: cut(this.where) };
    this.problems.push(
      count < MAX_PROBLEMS
        ? { severity, file: this.file, ...where, path: cut(this.path), message: cut(message) }
        : { severity, file: this.file, path: '$', message: `more than ${MAX_PROBLEMS} of these: the rest is not told` },
    );
  }

  private count(kind: Problem['severity']): number {
    return this.problems.reduce((sum, { severity }) => sum + (severity === kind ? 1 : 0), 0);
  }
}

/** Names and texts of a policy can be as long as a file; what is told of them is not. */
const MAX_TEXT = 1_024;

function cut(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 3)}...` : text;
}

function describe(found: unknown): string {
  if (Array.isArray(found)) return 'an array';
  if (typeof found === 'object' && found !== null) return 'an object';
  const text = JSON.stringify(found);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
