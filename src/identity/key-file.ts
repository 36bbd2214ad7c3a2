import { createLocalJWKSet, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose';
import { readFileSync } from 'node:fs';
import { FileWatch } from '../files/watch.js';

/**
 * The keys of an issuer from a file (a JSON Web Key Set), replaced when the file changes. A file that cannot be used leaves
 * the keys before in force; where there were none, who needs a key is rejected with what is wrong with the file.
 */
export class KeyFile {
  #keys: JWTVerifyGetKey | undefined;
  #fault: unknown;
  readonly #watch: FileWatch;

  /** @param onFailure told of each file that could not be used, the first one too. */
  constructor(
    private readonly file: string,
    private readonly onFailure: (error: unknown) => void,
  ) {
    this.#watch = new FileWatch([file], () => {
      this.#load();
    });
    this.#load();
  }

  /** Finds the key of a token. */
  readonly get: JWTVerifyGetKey = async (header, token) => {
    if (this.#keys === undefined) throw this.#fault;
    return this.#keys(header, token);
  };

  /** Reads the file whenever it changes, until closed; keeps no process alive. */
  watch(intervalMs?: number): void {
    this.#watch.start(intervalMs);
  }

  close(): void {
    this.#watch.close();
  }

  #load(): void {
    try {
      this.#keys = createLocalJWKSet(JSON.parse(readFileSync(this.file, 'utf8')) as JSONWebKeySet);
    } catch (error) {
      this.#fault = error;
      this.onFailure(error);
    }
  }
}
