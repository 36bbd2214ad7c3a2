import { FileWatch } from '../files/watch.js';
import type { ArnScope } from './deciding/compile.js';
import { loadPolicySet, type PolicySet } from './policy-set.js';
import { diffPolicies } from './questions/diff.js';
import { SAME, toLines } from './questions/diff-lines.js';
import { formatProblem, PolicyLoadError, Reporter, type Problem } from './reading/problems.js';
import { finishInSlices } from './work.js';

/** What became of an attempt to load the folder. */
export interface ReloadEvent {
  readonly status: 'Success' | 'Failure';
  /** Version of the set in force after the attempt: the new one, or on failure the one before. */
  readonly version: string;
  /** Why the new contents were not taken; empty on success. */
  readonly errors: readonly string[];
  /** Warnings about the contents that were taken; empty on failure. */
  readonly warnings: readonly string[];
  /** What changes in meaning by the contents that were taken, as far as it could be made out in a short time. */
  readonly changes: readonly string[];
}

export interface PolicyStoreOptions {
  /** Folder of policies; contents that grant anything that these do not are refused. It is read with each reload. */
  readonly baseline?: string | undefined;
  /** Told of every reload that failed, changed something or is good again after a failure. Must not throw. */
  readonly onReload?: (event: ReloadEvent) => void;
}

/**
 * The policy set in force, and its replacement: all or nothing. A folder that cannot be used leaves the running set as it
 * is. Decisions take the set by `current` and keep it to their end, so that none sees half of two.
 */
export class PolicyStore {
  private loading: Promise<ReloadEvent> | undefined;
  private again = false;
  private failing = false;
  private readonly closing = new AbortController();

  private constructor(
    private readonly folder: string,
    private readonly scope: ArnScope,
    private set: PolicySet,
    private readonly options: PolicyStoreOptions,
    private readonly files: FileWatch,
  ) {}

  /**
   * Loads the folder for the first time.
   * @throws PolicyLoadError, or an error of the file system: without policies there is nothing to decide by
   */
  static async open(folder: string, scope: ArnScope, options: PolicyStoreOptions = {}): Promise<PolicyStore> {
    // Its first picture is taken before the folder is read.
    const files = new FileWatch([folder], () => void store.reload());
    const set = await loadPolicySet(folder, scope);
    await refuseNewAccess(options.baseline, set, scope);
    const store = new PolicyStore(folder, scope, set, options, files);
    return store;
  }

  /** The set in force. */
  readonly current = (): PolicySet => this.set;

  /** Loads again. Never rejects: a failure is in the event, and goes to `onReload`. For SIGHUP. */
  async reload(): Promise<ReloadEvent> {
    if (this.loading !== undefined) {
      this.again = true;
      return this.loading;
    }
    this.loading = this.loadUntilQuiet();
    try {
      return await this.loading;
    } finally {
      this.loading = undefined;
    }
  }

  /** Reloads whenever the folder changes, until closed. */
  watch(intervalMs?: number): void {
    this.files.start(intervalMs);
  }

  close(): void {
    this.closing.abort();
    this.files.close();
  }

  /** A change that arrives while files are being read is read by another round. */
  private async loadUntilQuiet(): Promise<ReloadEvent> {
    let event: ReloadEvent;
    do {
      this.again = false;
      event = await this.load();
    } while (this.again as boolean);
    return event;
  }

  private async load(): Promise<ReloadEvent> {
    try {
      const next = await loadPolicySet(this.folder, this.scope);
      const before = this.set;
      const isOther = next.version !== before.version;
      const worthTelling = this.failing || isOther;
      if (worthTelling) await refuseNewAccess(this.options.baseline, next, this.scope);
      this.set = next;
      this.failing = false;
      const warnings = next.problems.map(formatProblem);
      // It is in force already: to tell what changes may take a moment.
      const changes = isOther ? await this.changesFrom(before, next) : [];
      const event: ReloadEvent = { status: 'Success', version: next.version, errors: [], warnings, changes };
      if (worthTelling) this.options.onReload?.(event);
      return event;
    } catch (error) {
      return this.fail(reasonsOf(error));
    }
  }

  private async changesFrom(before: PolicySet, after: PolicySet): Promise<readonly string[]> {
    try {
      const diff = await finishInSlices(diffPolicies(before, after, TOLD), this.closing.signal);
      return toLines(diff).slice(0, TOLD.limit);
    } catch (error) {
      if (this.closing.signal.aborted) return [];
      throw error;
    }
  }

  private fail(errors: readonly string[]): ReloadEvent {
    const event: ReloadEvent = { status: 'Failure', version: this.set.version, errors, warnings: [], changes: [] };
    this.failing = true;
    this.options.onReload?.(event);
    return event;
  }
}

/** What is told of a change: so many lines, and what is found in about a second. */
const TOLD = { limit: 20, budget: 50_000, totalBudget: 1_000_000 };

/**
 * Holds a set to what another folder grants: what could not be made out counts as granted.
 * @throws PolicyLoadError where it grants more, or the baseline cannot be used
 */
async function refuseNewAccess(baseline: string | undefined, next: PolicySet, scope: ArnScope): Promise<void> {
  if (baseline === undefined) return;
  const pinned = await loadPolicySet(baseline, scope);
  if (pinned.version === next.version) return;
  const diff = await finishInSlices(diffPolicies(pinned, next));
  const granted = toLines({ ...diff, changes: diff.changes.filter(({ effect }) => effect === 'allow') });
  if (granted[0] === SAME) return;
  const problems: Problem[] = [];
  const report = new Reporter(problems, next.version);
  for (const line of granted) report.error(`beyond the baseline ${baseline}: ${line}`);
  throw new PolicyLoadError(problems);
}

function reasonsOf(error: unknown): readonly string[] {
  if (error instanceof PolicyLoadError) {
    return error.problems.filter(({ severity }) => severity === 'error').map(formatProblem);
  }
  return [error instanceof Error ? error.message : String(error)];
}
