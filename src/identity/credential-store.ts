import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import { Credentials } from './credentials.js';

/** Editors and secret mounts write in several steps; this long after the last of them the file is read. */
const SETTLE_MS = 200;

/**
 * The credentials in force, replaced when their file changes, so that keys and passwords are rotated without a restart. A
 * file that cannot be used leaves the running ones as they are.
 */
export class CredentialStore {
  #current: Credentials;
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(
    private readonly file: string,
    credentials: Credentials,
    private readonly onFailure: (error: Error) => void,
  ) {
    this.#current = credentials;
  }

  /**
   * @param onFailure told of each file that could not be used after the first.
   * @throws CredentialsError where the file cannot be used.
   */
  static open(file: string, onFailure: (error: Error) => void): CredentialStore {
    return new CredentialStore(file, Credentials.fromFile(file), onFailure);
  }

  readonly current = (): Credentials => this.#current;

  /** Reads the file again. Never throws. For SIGHUP. */
  reload(): void {
    try {
      this.#current = Credentials.fromFile(this.file);
    } catch (error) {
      this.onFailure(error as Error);
    }
  }

  /** Reloads whenever the folder of the file changes, until closed: a mounted secret is replaced, not written to. */
  watch(): void {
    this.#watcher ??= watch(dirname(this.file), () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        this.reload();
      }, SETTLE_MS).unref();
    }).on('error', this.onFailure);
  }

  close(): void {
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }
}
