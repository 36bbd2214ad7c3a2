import { FileWatch } from '../files/watch.js';
import { Credentials } from './credentials.js';

/**
 * The credentials in force, replaced when their file changes, so that keys and passwords are rotated without a restart. A
 * file that cannot be used leaves the running ones as they are.
 */
export class CredentialStore {
  #current: Credentials;
  readonly #watch: FileWatch;

  private constructor(
    private readonly file: string,
    private readonly onFailure: (error: Error) => void,
  ) {
    this.#watch = new FileWatch([file], () => {
      this.reload();
    });
    this.#current = Credentials.fromFile(file);
  }

  /**
   * @param onFailure told of each file that could not be used after the first.
   * @throws CredentialsError where the file cannot be used.
   */
  static open(file: string, onFailure: (error: Error) => void): CredentialStore {
    return new CredentialStore(file, onFailure);
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

  /** Reloads whenever the file changes, until closed. */
  watch(intervalMs?: number): void {
    this.#watch.start(intervalMs);
  }

  close(): void {
    this.#watch.close();
  }
}
