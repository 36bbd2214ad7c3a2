/** Exit status of a process that a signal ended, as shells give it: 128 and the number of the signal. */
const STATUS = { SIGTERM: 143, SIGINT: 130 } as const;

let drain: (() => void) | undefined;

/**
 * Has SIGTERM and SIGINT end the process at once, with status 143 or 130. The kernel gives process 1 of a container no
 * default action (pid_namespaces(7)): a signal that nobody listens for is lost, and `docker stop` waits in vain.
 */
export function heedSignals(): void {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.on(signal, () => {
      if (drain === undefined) process.exit(STATUS[signal]);
      drain();
      drain = undefined;
    });
  }
}

/** Resolves on the next SIGTERM or SIGINT, which then does not end the process; one after it does. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    drain = resolve;
  });
}
