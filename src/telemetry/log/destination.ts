import { write, writeSync } from 'node:fs';

/** Where lines go. `write` takes one whole line with its newline, and neither blocks nor throws. */
export interface LogDestination {
  write(line: string): void;
  /** Lines that were not written, so far. */
  readonly dropped: number;
  /** Resolves when everything accepted is written, or was given up. */
  close(): Promise<void>;
}

export interface FileDestinationOptions {
  /** File descriptor. 1 is standard output. */
  readonly fd: number;
  /** Bytes that may wait for a slow reader; what comes on top is dropped and counted, oldest lines stay. */
  readonly maxBufferBytes: number;
  /** How long `close` waits for a reader that has stopped reading. */
  readonly closeTimeoutMs: number;
}

export const FILE_DESTINATION_DEFAULTS: FileDestinationOptions = {
  fd: 1,
  maxBufferBytes: 4 * 1024 * 1024,
  closeTimeoutMs: 1000,
};

/** Lines wait this long for others: a system call and a thread's turn for each would cost more than making the line. */
const GATHER_MS = 20;
/** After a write that failed, for a pipe that is full for instance. */
const RETRY_MS = 100;
const NEWLINE = 0x0a;

/**
 * Asynchronous writer on a file descriptor. A write that cannot go out waits in a bounded buffer, never in the event
 * loop: a log reader that hangs costs log lines, not hook answers.
 */
export function openFileDestination(options: Partial<FileDestinationOptions> = {}): LogDestination {
  return new FileDestination({ ...FILE_DESTINATION_DEFAULTS, ...options });
}

class FileDestination implements LogDestination {
  readonly #options: FileDestinationOptions;
  /** Accepted, and not yet in `#batch`. */
  #lines: string[] = [];
  /** What is being written, or will be tried again. */
  #batch: Buffer | undefined;
  /** Whether the system has the batch at the moment. */
  #writing = false;
  /** Bytes of both. */
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #dropped = 0;
  #ended = false;
  /** Set while `close` waits. */
  #written: (() => void) | undefined;

  constructor(options: FileDestinationOptions) {
    this.#options = options;
    process.on('exit', this.#atExit);
  }

  get dropped(): number {
    return this.#dropped;
  }

  write(line: string): void {
    const bytes = Buffer.byteLength(line);
    if (this.#ended || this.#bytes + bytes > this.#options.maxBufferBytes) {
      this.#dropped += 1;
      return;
    }
    this.#lines.push(line);
    this.#bytes += bytes;
    if (this.#batch === undefined) this.#timer ??= setTimeout(this.#next, GATHER_MS);
  }

  async close(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    const written = new Promise<void>((resolve) => {
      this.#written = resolve;
    });
    const timeout = setTimeout(this.#giveUp, this.#options.closeTimeoutMs);
    if (this.#batch === undefined) this.#next();
    await written;
    clearTimeout(timeout);
  }

  readonly #next = (): void => {
    this.#stopTimer();
    if (this.#lines.length === 0) {
      if (this.#written !== undefined) this.#finish();
      return;
    }
    this.#batch = Buffer.from(this.#lines.join(''));
    this.#lines = [];
    this.#writeBatch();
  };

  readonly #writeBatch = (): void => {
    this.#stopTimer();
    if (this.#batch === undefined) return;
    this.#writing = true;
    write(this.#options.fd, this.#batch, (error, bytes) => {
      this.#writing = false;
      if (this.#batch === undefined) return;
      if (error !== null) {
        // A reader that is gone does not come back. Anything else may pass: a full pipe, a full disk.
        if (error.code === 'EPIPE') this.#giveUp();
        else this.#timer = setTimeout(this.#writeBatch, RETRY_MS);
        return;
      }
      this.#bytes -= bytes;
      this.#batch = bytes < this.#batch.length ? this.#batch.subarray(bytes) : undefined;
      if (this.#batch !== undefined) this.#writeBatch();
      else if (this.#written !== undefined) this.#next();
      else if (this.#lines.length > 0) this.#timer = setTimeout(this.#next, GATHER_MS);
    });
  };

  /** Drops what waits, and takes nothing more. */
  readonly #giveUp = (): void => {
    this.#ended = true;
    this.#dropped += this.#lines.length + (this.#batch?.filter((byte) => byte === NEWLINE).length ?? 0);
    this.#lines = [];
    this.#batch = undefined;
    this.#bytes = 0;
    this.#finish();
  };

  #finish(): void {
    this.#stopTimer();
    process.off('exit', this.#atExit);
    this.#written?.();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** A process that ends without `close`, by a defect for instance, leaves the lines that say why. */
  readonly #atExit = (): void => {
    const waiting = this.#writing || this.#batch === undefined ? [] : [this.#batch];
    try {
      for (const bytes of [...waiting, Buffer.from(this.#lines.join(''))]) writeSync(this.#options.fd, bytes);
    } catch {
      // Nobody is left to be told.
    }
  };
}
