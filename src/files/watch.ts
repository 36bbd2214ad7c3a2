import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Between two looks, in milliseconds. A change is told one look after it was seen: writing takes several steps. */
const INTERVAL_MS = 1_000;
/** Looking takes no more than one part in so many of the time, however many files there are. */
const SHARE = 50;
/** Of so many looks the quickest counts: others may have waited for the processor. */
const MEASURED_LOOKS = 3;

/**
 * Files and folders, watched by their names: told is when what stands under a name has become another file or has other
 * content, whichever way it got there: written in place, moved over it (editors), by a link on the way to it that was
 * swapped (Kubernetes' `..data`, git-sync), by a folder that was renamed, or gone and back.
 *
 * It looks, and does not wait to be told by the system. `fs.watch` follows an inode, and is silent on network file systems.
 * Chokidar 5.0.0, polling, no longer sees a folder or a file that it has once seen missing (run on Node 20.20); 6.0.0 does,
 * but asks for Node 22.22.
 */
export class FileWatch {
  readonly #names: readonly string[];
  readonly #changed: () => void;
  #seen: string;
  #told: string;
  #timer: NodeJS.Timeout | undefined;
  /** How long the last looks took, in milliseconds, without what was done about a change. */
  #costs: readonly number[] = Array.from({ length: MEASURED_LOOKS }, () => 0);

  /**
   * Takes the first picture: made before the files are read, it misses no change.
   * @param names of files, or of folders, whose entries count too, but not what is in folders among them.
   * @param changed must not throw.
   */
  constructor(names: readonly string[], changed: () => void) {
    this.#names = names;
    this.#changed = changed;
    this.#seen = this.#told = pictureOf(names);
  }

  /** Looks from time to time, until closed; keeps no process alive. */
  start(intervalMs = INTERVAL_MS): void {
    const next = (after: number): void => {
      this.#timer = setTimeout(() => {
        this.look();
        if (this.#timer !== undefined) next(Math.max(intervalMs, Math.min(...this.#costs) * SHARE));
      }, after).unref();
    };
    if (this.#timer === undefined) next(intervalMs);
  }

  /** Looks now. Tells of a change where nothing has changed since the look before. */
  look(): void {
    const started = performance.now();
    const picture = pictureOf(this.#names);
    this.#costs = [...this.#costs, performance.now() - started].slice(-MEASURED_LOOKS);
    const quiet = picture === this.#seen;
    this.#seen = picture;
    if (!quiet || picture === this.#told) return;
    this.#told = picture;
    this.#changed();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}

function pictureOf(names: readonly string[]): string {
  return names.map((name) => `${name} ${stateOf(name, entriesOf)}`).join('\n');
}

/** What is there, or why nothing can be seen. Links are followed. */
function stateOf(name: string, within: (folder: string) => string = () => ''): string {
  try {
    const stats = statSync(name, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    return `${[dev, ino, size, mtimeNs, ctimeNs].join(' ')}${stats.isDirectory() ? within(name) : ''}`;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

function entriesOf(folder: string): string {
  return readdirSync(folder)
    .map((entry) => `\n  ${entry} ${stateOf(join(folder, entry))}`)
    .join('');
}
