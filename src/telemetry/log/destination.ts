import { pino } from 'pino';

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

/**
 * Asynchronous writer on a file descriptor. A write that cannot go out waits in a bounded buffer, never in the event
 * loop: a log reader that hangs costs log lines, not hook answers.
 */
export function openFileDestination(options: Partial<FileDestinationOptions> = {}): LogDestination {
  const { fd, maxBufferBytes, closeTimeoutMs } = { ...FILE_DESTINATION_DEFAULTS, ...options };
  const stream = pino.destination({ dest: fd, sync: false, minLength: 0, maxLength: maxBufferBytes });
  let dropped = 0;
  let broken = false;
  stream.on('drop', () => dropped++);
  // A reader that is gone (EPIPE) does not come back; any other error leaves the buffer in place for the next write.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    broken ||= error.code === 'EPIPE';
  });
  return {
    write(line) {
      if (broken) dropped++;
      else stream.write(line);
    },
    get dropped() {
      return dropped;
    },
    async close() {
      if (broken) return;
      broken = true;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, closeTimeoutMs);
        stream.once('close', () => {
          clearTimeout(timer);
          resolve();
        });
        stream.end();
      });
    },
  };
}
