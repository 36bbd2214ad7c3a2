import type { ServerResponse } from 'node:http';

/** Lines of an answer. Those of one turn of the event loop go out in one piece. */
export class OutgoingLines {
  readonly #response: ServerResponse;
  #gathered: string[] = [];
  #flushed: Promise<void> | undefined;
  #drained: Promise<void> | undefined;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Whether the caller has more to read than goes ahead of them. */
  get blocked(): boolean {
    return this.#drained !== undefined;
  }

  /** Settles once the line is with the connection and the caller keeps up, or is gone. */
  write(line: string): Promise<void> {
    this.#gathered.push(line);
    this.#flushed ??= new Promise((resolve) => {
      setImmediate(() => {
        this.#flushed = undefined;
        resolve(this.#flush());
      });
    });
    return this.#flushed;
  }

  async #flush(): Promise<void> {
    await this.#kept();
    const lines = this.#gathered.join('');
    this.#gathered = [];
    const response = this.#response;
    if (lines !== '' && !response.destroyed && !response.write(lines)) {
      this.#drained = new Promise((resolve) => {
        const settle = (): void => {
          response.off('drain', settle).off('close', settle);
          this.#drained = undefined;
          resolve();
        };
        response.on('drain', settle).on('close', settle);
      });
    }
    await this.#kept();
  }

  /** Settles when the caller has kept up with all that was written. */
  async #kept(): Promise<void> {
    while (this.#drained !== undefined) await this.#drained;
  }
}
