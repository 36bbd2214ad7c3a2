/** What may be used once, each until its time: bounded, the oldest first forgotten. */
export class OneTime {
  readonly #most: number;
  /** When each ends, in milliseconds; in the order they were added. */
  readonly #ends = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#ends.size;
  }

  has(name: string): boolean {
    return this.#ends.has(name);
  }

  add(name: string, endsAt: number, now: number): void {
    for (const [known, end] of this.#ends) {
      if (end > now && this.#ends.size < this.#most) break;
      this.#ends.delete(known);
    }
    this.#ends.set(name, endsAt);
  }

  /** Whether it was there and its time has not come; it is there no more. */
  take(name: string, now: number): boolean {
    const end = this.#ends.get(name);
    this.#ends.delete(name);
    return end !== undefined && end > now;
  }
}
