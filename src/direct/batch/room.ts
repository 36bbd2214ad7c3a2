/** What of a batch may be under way at once. */
export interface RoomLimits {
  readonly lines: number;
  /** Of their payloads; a single line may be larger. */
  readonly bytes: number;
}

/** Keeps the lines of one batch that are under way within bounds. One reader waits at a time. */
export class Room {
  readonly #limits: RoomLimits;
  #lines = 0;
  #bytes = 0;
  #waiting: (() => void) | undefined;

  constructor(limits: RoomLimits) {
    this.#limits = limits;
  }

  /** Lines under way. */
  get lines(): number {
    return this.#lines;
  }

  /** Takes room for a line, once there is some. */
  async take(bytes: number): Promise<void> {
    while (!this.tryTake(bytes)) await this.#change();
  }

  /** Takes room for a line if there is some now. */
  tryTake(bytes: number): boolean {
    if (this.#isFull(bytes)) return false;
    this.#lines += 1;
    this.#bytes += bytes;
    return true;
  }

  /** Gives back what was taken. */
  free(bytes: number): void {
    this.#lines -= 1;
    this.#bytes -= bytes;
    this.#waiting?.();
  }

  /** Settles when nothing is under way. */
  async empty(): Promise<void> {
    while (this.#lines > 0) await this.#change();
  }

  #isFull(bytes: number): boolean {
    return this.#lines > 0 && (this.#lines >= this.#limits.lines || this.#bytes + bytes > this.#limits.bytes);
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }
}
