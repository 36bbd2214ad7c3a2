import { FileWatch } from '../files/watch.js';
import type { ArnScope } from './deciding/compile.js';
import { loadPolicySet, type PolicySet } from './policy-set.js';
import { formatProblem, PolicyLoadError } from './reading/problems.js';

/** What became of an attempt to load the folder. */
export interface ReloadEvent {
  readonly status: 'Success' | 'Failure';
  /** Version of the set in force after the attempt: the new one, or on failure the one before. */
  readonly version: string;
  /** Why the new contents were not taken; empty on success. */
  readonly errors: readonly string[];
  /** Warnings about the contents that were taken; empty on failure. */
  readonly warnings: readonly string[];
}

export interface PolicyStoreOptions {
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
    const store = new PolicyStore(folder, scope, await loadPolicySet(folder, scope), options, files);
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
      const worthTelling = this.failing || next.version !== this.set.version;
      this.set = next;
      this.failing = false;
      const warnings = next.problems.map(formatProblem);
      const event: ReloadEvent = { status: 'Success', version: next.version, errors: [], warnings };
      if (worthTelling) this.options.onReload?.(event);
      return event;
    } catch (error) {
      return this.fail(reasonsOf(error));
    }
  }

  private fail(errors: readonly string[]): ReloadEvent {
    const event: ReloadEvent = { status: 'Failure', version: this.set.version, errors, warnings: [] };
    this.failing = true;
    this.options.onReload?.(event);
    return event;
  }
}

function reasonsOf(error: unknown): readonly string[] {
  if (error instanceof PolicyLoadError) {
    return error.problems.filter(({ severity }) => severity === 'error').map(formatProblem);
  }
  return [error instanceof Error ? error.message : String(error)];
}
