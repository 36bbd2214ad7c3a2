/** Lets those who ask for the same thing do so one after the other. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** `begins` resolves when those who came before have released their turn. */
  take(key: string): { readonly begins: Promise<void>; readonly release: () => void } {
    const begins = this.#last.get(key) ?? Promise.resolve();
    let end: () => void = () => undefined;
    const ends = new Promise<void>((resolve) => {
      end = resolve;
    });
    const last = begins.then(() => ends);
    this.#last.set(key, last);
    void last.then(() => {
      if (this.#last.get(key) === last) this.#last.delete(key);
    });
    return { begins, release: end };
  }

  /** Whether somebody has the turn, or waits for it. */
  isTaken(key: string): boolean {
    return this.#last.has(key);
  }
}
