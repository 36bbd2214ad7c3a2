/** Of a `Writable`, whichever library's. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

const gathering = new WeakSet<Corkable>();

/**
 * Holds back what is written to a stream until everything that has arrived by now is handled, and sends it at once: under
 * load one system call for many packets, where each call costs more than the packet. Alone, a packet waits for nothing.
 */
export function gatherWrites(stream: Corkable): void {
  if (gathering.has(stream)) return;
  gathering.add(stream);
  stream.cork();
  setImmediate(() => {
    gathering.delete(stream);
    stream.uncork();
  });
}
